// Prometheus Operator's own schemas, as the npm package @kubernetes-models/prometheus-operator has them, over a JSON
// list of objects on standard input. A line an error on standard output; exit 1 where there is one.
import { readFileSync } from "node:fs";
import { PrometheusRule, ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";

const kinds = { PrometheusRule, ServiceMonitor };
for (const told of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    new kinds[told.kind](told).validate();
  } catch (error) {
    console.log(`${told.kind}: ${error.message}`);
    process.exitCode = 1;
  }
}
