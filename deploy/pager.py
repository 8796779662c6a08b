"""A stand-in for a pager: prints a line for every alert that Alertmanager sends to it. The standard library alone.

`python3 deploy/pager.py [HOST:PORT]`, default 127.0.0.1:9748. The body is Alertmanager's webhook, version 4
(prometheus.io/docs/alerting/latest/configuration/#webhook_config). Ends on SIGTERM and Ctrl-C.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LISTEN = "127.0.0.1:9748"
BODY_BYTES_MAX = 4 << 20


class Pager(BaseHTTPRequestHandler):
    """Takes POST, on any path."""

    def do_POST(self) -> None:
        """Print the alerts; 400 for what is none of Alertmanager's, so that it shows there."""
        size = min(int(self.headers.get("Content-Length") or 0), BODY_BYTES_MAX)
        try:
            alerts = json.loads(self.rfile.read(size))["alerts"]
            lines = [line(alert) for alert in alerts]
        except (ValueError, KeyError, TypeError, AttributeError):
            self.send_error(400, "expected what Alertmanager sends to a webhook")
            return
        for text in lines:
            sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the parent's)
        """Say nothing of requests."""


def line(alert: dict[str, dict[str, str]]) -> str:
    """`firing  OrphanedSpendSeen  warning  What it is about.` of one alert."""
    labels, notes = alert["labels"], alert["annotations"]
    told = notes.get("description") or notes.get("summary", "")
    return f"{alert['status']:<10}{labels['alertname']:<28}{labels.get('severity', '-'):<10}{' '.join(told.split())}"


def main(listen: str) -> None:
    """Serve until a signal comes."""
    host, _, port = listen.rpartition(":")
    with ThreadingHTTPServer((host, int(port)), Pager) as server:
        server.serve_forever()


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else LISTEN)
    except KeyboardInterrupt:
        sys.exit(0)
