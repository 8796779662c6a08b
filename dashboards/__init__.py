"""The Grafana dashboards as code: `build` writes what the other modules say; nothing of it is needed to use them."""
