// The dashboards' classic JSON as Grafana's own types have it. tests/golden/grafana-dashboard.schema.json is made of this
// file, beside an installed viewer, by
//   npx ts-json-schema-generator@2 --tsconfig schema/tsconfig.json --path schema/grafana.d.ts --type ClassicDashboard \
//     --no-top-ref --no-type-check --minify -o ../../tests/golden/grafana-dashboard.schema.json
import type * as dashboard from '@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen';
import type * as bargauge from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

interface Query {
  datasource: dashboard.DataSourceRef;
  expr: string;
  format?: 'time_series' | 'table' | 'heatmap';
  instant?: boolean;
  legendFormat: string;
  range?: boolean;
  refId: string;
}

interface Drawn<Kind extends string, Options, Custom> extends Omit<dashboard.Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> {
  type: Kind;
  options: Partial<Options>;
  fieldConfig: {
    defaults: Omit<dashboard.FieldConfig, 'custom'> & { custom?: Partial<Custom> };
    overrides: dashboard.FieldConfigSource['overrides'];
  };
  targets: Query[];
}

type AnyPanel =
  | Drawn<'stat', stat.Options, Record<string, never>>
  | Drawn<'bargauge', bargauge.Options, Record<string, never>>
  | Drawn<'table', table.Options, table.FieldConfig>
  | Drawn<'timeseries', timeseries.Options, timeseries.FieldConfig>
  | dashboard.RowPanel;

export interface ClassicDashboard extends Omit<dashboard.Dashboard, 'panels'> {
  panels: AnyPanel[];
}
