// Grafana's variables: a dashboard and the page's address come in, a function that fills them into text goes out.
// As in Grafana, "All" of a variable is its allValue, several values become (a|b), and what is unknown stays as it is.

/** The dashboard's variables with their values; `ask(metric, label)` gives the values of a label. */
export async function readVariables(dashboard, address, ask) {
  const chosen = {};
  const shown = [];
  for (const variable of dashboard.templating.list) {
    const given = address.getAll(`var-${variable.name}`);
    const value = given.length ? given : await startValue(variable, (text) => fill(text, chosen), ask);
    chosen[variable.name] = { value, all: variable.allValue };
    shown.push({ label: variable.label ?? variable.name, text: isAll(value) ? 'All' : value.join(' + ') });
  }
  return { fillIn: (text, more = {}) => fill(text, chosen, more), shown };
}

async function startValue(variable, fillIn, ask) {
  if (variable.type === 'datasource') {
    return ['prometheus'];
  }
  if (variable.type === 'textbox' || variable.type === 'constant') {
    return [variable.query ?? ''];
  }
  if (variable.current?.value !== undefined) {
    return [variable.current.value].flat();
  }
  const [metric, label] = variable.query.replace(/^label_values\((.*)\)$/, '$1').split(/,\s*(?=\w+$)/);
  return [(await ask(fillIn(metric), label)).sort()[0] ?? ''];
}

const isAll = (value) => value.length === 1 && value[0] === '$__all';

function fill(text, chosen, more = {}) {
  return text.replace(/\$(?:\{([\w.]+)(?::(\w+))?\}|(\w+))/g, (whole, braced, format, bare) => {
    const name = braced ?? bare;
    if (name in more) {
      return more[name];
    }
    if (!(name in chosen)) {
      return whole;
    }
    const { value, all } = chosen[name];
    if (format === 'queryparam') {
      return value.map((one) => `var-${name}=${encodeURIComponent(one)}`).join('&');
    }
    if (isAll(value)) {
      return all ?? '.*';
    }
    return value.length > 1 ? `(${value.join('|')})` : value[0];
  });
}
