// What a panel's JSON says of its fields, applied by Grafana's own code: units, thresholds, colours, overrides, and the
// two transformations that the dashboards use. Frames come in, drawn fields go out.
import {
  FieldConfigOptionsRegistry, applyFieldOverrides, standardTransformers, standardTransformersRegistry,
  transformDataFrame,
} from '@grafana/data';
import { lastValueFrom } from 'rxjs';

const PLAIN = ['unit', 'decimals', 'min', 'max', 'displayName', 'noValue', 'color', 'thresholds', 'mappings', 'links'];
const CUSTOM = [
  'lineWidth', 'fillOpacity', 'fillBelowTo', 'spanNulls', 'showPoints', 'stacking', 'drawStyle', 'lineInterpolation',
  'axisPlacement', 'axisGridShow', 'scaleDistribution', 'hideFrom', 'gradientMode', 'align', 'cellOptions', 'width',
  'filterable', 'inspect',
];
// Each kind of panel begins with its plugin's own defaults, as in Grafana.
const DEFAULTS = {
  timeseries: {
    color: { mode: 'palette-classic' },
    custom: {
      drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 0, gradientMode: 'none',
      axisPlacement: 'auto', axisGridShow: true, scaleDistribution: { type: 'linear' }, pointSize: 5,
      hideFrom: { tooltip: false, viz: false, legend: false }, showPoints: 'auto', spanNulls: false,
    },
  },
  table: { custom: { align: 'auto', cellOptions: { type: 'auto' }, inspect: false } },
};

standardTransformersRegistry.setInit(() => [
  { id: 'merge', name: 'Merge', transformation: () => standardTransformers.mergeTransformer },
  { id: 'organize', name: 'Organize', transformation: () => standardTransformers.organizeFieldsTransformer },
]);

const registry = new FieldConfigOptionsRegistry();
for (const [names, isCustom] of [[PLAIN, false], [CUSTOM, true]]) {
  for (const path of names) {
    registry.register({
      id: isCustom ? `custom.${path}` : path, path, name: path, isCustom, settings: {},
      process: (value, context) => (typeof value === 'string' ? context.replaceVariables?.(value) ?? value : value),
      shouldApply: () => true,
    });
  }
}

/** Frames as the panel shows them. */
export async function drawn(panel, frames, theme, fillIn) {
  const context = { interpolate: fillIn };
  const shaped = panel.transformations?.length
    ? await lastValueFrom(transformDataFrame(panel.transformations, frames, context))
    : frames;
  return applyFieldOverrides({
    data: shaped,
    fieldConfig: settings(panel),
    fieldConfigRegistry: registry,
    replaceVariables: fillIn,
    theme,
    timeZone: 'utc',
  });
}

/** The panel's field config over the defaults of its kind. */
export function settings(panel) {
  const plain = DEFAULTS[panel.type] ?? {};
  const own = panel.fieldConfig.defaults;
  const thresholds = own.thresholds && {
    ...own.thresholds,
    steps: own.thresholds.steps.map((step) => ({ ...step, value: step.value ?? -Infinity })),
  };
  const defaults = { ...plain, ...own, custom: { ...plain.custom, ...own.custom } };
  return { defaults: thresholds ? { ...defaults, thresholds } : defaults, overrides: panel.fieldConfig.overrides ?? [] };
}
