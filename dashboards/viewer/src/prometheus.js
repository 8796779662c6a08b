// Prometheus' HTTP API as Grafana's data source answers it: queries come in, data frames go out.
// An error of Prometheus is thrown with its own words; a query without an answer gives no frame, never a zero.
import { FieldType, createDataFrame } from '@grafana/data';

export function prometheus(address) {
  async function ask(path, wanted) {
    const answer = await fetch(`${address}/api/v1/${path}?${new URLSearchParams(wanted)}`);
    const told = await answer.json();
    if (told.status !== 'success') {
      throw new Error(told.error);
    }
    return told.data;
  }
  return {
    values: (metric, label) => ask(`label/${label}/values`, { 'match[]': metric }),
    async frames(target, query, range, stepSeconds) {
      if (target.range) {
        const asked = { query, start: range.fromMs / 1000, end: range.toMs / 1000, step: stepSeconds };
        const { result } = await ask('query_range', asked);
        return result.map((one) => series(target, one.metric, one.values, stepSeconds));
      }
      const { result } = await ask('query', { query, time: range.toMs / 1000 });
      if (target.format === 'table') {
        return result.length ? [table(target, result)] : [];
      }
      return result.map((one) => series(target, one.metric, [one.value], stepSeconds));
    },
  };
}

function series(target, labels, samples, stepSeconds) {
  const name = target.legendFormat.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? '');
  const times = samples.map(([at]) => Math.round(at * 1000));
  const values = samples.map(([, value]) => Number(value));
  return createDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: times, config: { interval: stepSeconds * 1000 } },
      { name: 'Value', type: FieldType.number, values, labels, config: { displayNameFromDS: name } },
    ],
  });
}

function table(target, result) {
  const names = [...new Set(result.flatMap((one) => Object.keys(one.metric)))].sort();
  const columns = names.map((name) => (
    { name, type: FieldType.string, values: result.map((one) => one.metric[name] ?? ''), config: {} }
  ));
  return createDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: result.map((one) => one.value[0] * 1000), config: {} },
      ...columns,
      {
        name: target.alone ? 'Value' : `Value #${target.refId}`,
        type: FieldType.number,
        values: result.map((one) => Number(one.value[1])),
        config: {},
      },
    ],
  });
}
