// The four kinds of panels, each a few lines around the component of @grafana/ui that Grafana's own plugin is built on.
// Drawn frames and a size come in; elements go out. What is not known is shown with the panel's noValue text.
import {
  VizOrientation, cacheFieldDisplayNames, getDisplayValueAlignmentFactors, getFieldDisplayValues,
} from '@grafana/data';
import { BarGauge, BigValue, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { settings } from './fields.js';

export const PANELS = { stat: Stat, bargauge: Bars, timeseries: Lines, table: Rows };

function shownValues({ panel, frames, theme, fillIn }) {
  return getFieldDisplayValues({
    fieldConfig: settings(panel), reduceOptions: panel.options.reduceOptions, replaceVariables: fillIn, theme,
    data: frames, timeZone: 'utc', percentChange: false,
  });
}

function Stat(props) {
  const { panel, width, height, theme } = props;
  const values = shownValues(props);
  const textMode = values.length > 1 ? 'value_and_name' : 'value';
  return (
    <VizRepeater
      getValues={() => values} source={values} renderCounter={0} width={width} height={height}
      itemSpacing={3} autoGrid orientation={panel.options.orientation ?? VizOrientation.Auto}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, width: w, height: h, alignmentFactors, count }) => (
        <BigValue
          value={value.display} count={count} width={w} height={h} theme={theme} alignmentFactors={alignmentFactors}
          colorMode={panel.options.colorMode} graphMode="none" justifyMode="auto" textMode={textMode}
        />
      )}
    />
  );
}

function Bars(props) {
  const { panel, width, height, theme } = props;
  const { options } = panel;
  const values = shownValues(props);
  return (
    <VizRepeater
      getValues={() => values} source={values} renderCounter={0} width={width} height={height}
      itemSpacing={10} minVizHeight={options.minVizHeight ?? 16} maxVizHeight={options.maxVizHeight ?? 300}
      orientation={options.orientation} getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, width: w, height: h, alignmentFactors, orientation, count }) => (
        <BarGauge
          value={value.display} field={value.field} display={processor(value)} width={w} height={h} theme={theme}
          orientation={orientation} itemSpacing={3} lcdCellWidth={count > 5 ? 8 : 12}
          displayMode={options.displayMode} valueDisplayMode={options.valueMode} namePlacement={options.namePlacement}
          showUnfilled={options.showUnfilled} text={options.text} alignmentFactors={alignmentFactors}
        />
      )}
    />
  );
}

function processor({ view, colIndex }) {
  return view && colIndex !== undefined ? view.getFieldDisplayProcessor(colIndex) : undefined;
}

function Lines({ panel, frames, width, height, range }) {
  return (
    <TimeSeries
      frames={frames} structureRev={1} timeRange={range} timeZone="utc" width={width} height={height}
      legend={{ calcs: [], ...panel.options.legend }} options={panel.options}
    />
  );
}

function Rows({ panel, frames, width, height, range }) {
  cacheFieldDisplayNames(frames);
  return (
    <TableNG
      data={frames[0]} width={width} height={height} timeRange={range} fieldConfig={settings(panel)} structureRev={1}
      sortBy={panel.options.sortBy} showTypeIcons={false} cellHeight={panel.options.cellHeight ?? 'sm'}
    />
  );
}
