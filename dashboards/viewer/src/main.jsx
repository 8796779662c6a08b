// The page: one dashboard's classic JSON, drawn with Grafana's parts against a real Prometheus.
// Asked for by its address: ?dashboard=URL&prometheus=URL&theme=dark|light&to=MS&var-NAME=VALUE. When everything is drawn,
// the body has data-done; each panel says in data-state whether it was drawn, is empty, or failed.
import { EventBusSrv, LoadingState, createTheme, dateTime } from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles, PanelChrome, PanelContextProvider, ThemeContext } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import { drawn } from './fields.js';
import { PANELS } from './panels.jsx';
import { prometheus } from './prometheus.js';
import { readVariables } from './variables.js';

const GRID = { columns: 24, cell: 30, gap: 8 };
const SECONDS = { s: 1, m: 60, h: 3600, d: 86400 };
const WIDTH = 1600;
const MARGIN = 16;

const address = new URLSearchParams(window.location.search);
const theme = createTheme({ colors: { mode: address.get('theme') ?? 'dark' } });
const events = new EventBusSrv();

async function main() {
  await initPluginTranslations('orphaned-inference');
  const dashboard = await (await fetch(address.get('dashboard'))).json();
  const source = prometheus(address.get('prometheus'));
  const { fillIn, shown } = await readVariables(dashboard, address, source.values);
  const range = timeRange(dashboard.time.from);
  const panels = await Promise.all(dashboard.panels.map((panel) => prepared(panel, source, range, fillIn)));
  document.body.style.background = theme.colors.background.canvas;
  const root = createRoot(document.getElementById('root'));
  const themed = (page) => <ThemeContext.Provider value={theme}><GlobalStyles />{page}</ThemeContext.Provider>;
  // Texts are measured when they are drawn, so the font must be there first.
  root.render(themed(null));
  await new Promise((painted) => { setTimeout(painted, 50); });
  await Promise.all(['400', '500'].map((weight) => document.fonts.load(`${weight} 14px Inter`)));
  root.render(themed(<Page dashboard={dashboard} panels={panels} shown={shown} range={range} fillIn={fillIn} />));
  setTimeout(() => { document.body.dataset.done = 'yes'; }, 1000);
}

function timeRange(from) {
  const [, count, unit] = /^now-(\d+)([smhd])$/.exec(from);
  const toMs = Number(address.get('to') ?? Date.now());
  const fromMs = toMs - count * SECONDS[unit] * 1000;
  const [start, end] = [dateTime(fromMs), dateTime(toMs)];
  return { fromMs, toMs, from: start, to: end, raw: { from: start, to: end } };
}

async function prepared(panel, source, range, fillIn) {
  if (panel.type === 'row') {
    return { panel, frames: [] };
  }
  const { width } = box(panel.gridPos);
  const seconds = (range.toMs - range.fromMs) / 1000;
  const every = Number(address.get('interval') ?? 15); // between two scrapes, as a data source is told
  const step = Math.max(every, Math.ceil(seconds / width / 60) * 60);
  const spans = { __range: `${seconds}s`, __rate_interval: `${step + 4 * every}s` };
  try {
    const asked = panel.targets.map((target) => source.frames(
      { ...target, alone: panel.targets.length === 1 }, fillIn(target.expr, spans), range, step
    ));
    const frames = await drawn(panel, (await Promise.all(asked)).flat(), theme, fillIn);
    return { panel, frames };
  } catch (error) {
    return { panel, frames: [], error: String(error.message ?? error) };
  }
}

function box({ x, y, w, h }) {
  const column = (WIDTH - 2 * MARGIN + GRID.gap) / GRID.columns;
  return {
    left: MARGIN + x * column, top: y * (GRID.cell + GRID.gap), width: w * column - GRID.gap,
    height: h * (GRID.cell + GRID.gap) - GRID.gap,
  };
}

function Page({ dashboard, panels, shown, range, fillIn }) {
  const bottom = Math.max(...panels.map(({ panel }) => panel.gridPos.y + panel.gridPos.h));
  const style = { position: 'relative', width: WIDTH, height: bottom * (GRID.cell + GRID.gap) + MARGIN };
  return (
    <div style={{ width: WIDTH, color: theme.colors.text.primary, fontFamily: theme.typography.fontFamily }}>
      <Head dashboard={dashboard} shown={shown} range={range} />
      <div style={style}>
        {panels.map((one) => <Placed key={one.panel.id} {...one} range={range} fillIn={fillIn} />)}
      </div>
    </div>
  );
}

function Head({ dashboard, shown, range }) {
  const chip = {
    border: `1px solid ${theme.colors.border.medium}`, borderRadius: 2, padding: '3px 8px', marginRight: 8,
    background: theme.colors.background.primary, fontSize: 12,
  };
  const faint = { color: theme.colors.text.secondary };
  return (
    <div style={{ padding: `12px ${MARGIN}px` }}>
      <h1 style={{ fontSize: 20, margin: '0 0 2px' }}>{dashboard.title}</h1>
      <div style={{ ...faint, marginBottom: 8 }}>{dashboard.description}</div>
      {shown.map(({ label, text }) => <span key={label} style={chip}><span style={faint}>{label}</span> {text}</span>)}
      <span style={{ ...chip, float: 'right' }}>
        {range.from.utc().format('YYYY-MM-DD HH:mm')} to {range.to.utc().format('YYYY-MM-DD HH:mm')} UTC
      </span>
    </div>
  );
}

function Placed({ panel, frames, error, range, fillIn }) {
  const place = box(panel.gridPos);
  if (panel.type === 'row') {
    return <h2 style={{ position: 'absolute', ...place, fontSize: 16, margin: 0, lineHeight: '30px' }}>
      {fillIn(panel.title)}
    </h2>;
  }
  const Kind = PANELS[panel.type];
  const filled = frames.some((frame) => frame.length > 0);
  const state = error ? 'error' : filled ? 'drawn' : 'empty';
  const needsFrames = panel.type === 'timeseries' || panel.type === 'table';
  return (
    <div style={{ position: 'absolute', ...place }} data-panel={panel.title} data-state={state}>
      <PanelContextProvider value={{ eventsScope: 'viewer', eventBus: events }}>
        <PanelChrome
          width={place.width} height={place.height} title={fillIn(panel.title)} description={panel.description}
          loadingState={error ? LoadingState.Error : LoadingState.Done} statusMessage={error}
        >
          {(width, height) => (error || (needsFrames && !filled)
            ? <div>{error ?? panel.fieldConfig.defaults.noValue}</div>
            : <Kind panel={panel} frames={frames} width={width} height={height} range={range} theme={theme} fillIn={fillIn} />
          )}
        </PanelChrome>
      </PanelContextProvider>
    </div>
  );
}

main().catch((error) => {
  document.body.dataset.done = 'failed';
  document.body.append(String(error.stack ?? error));
});
