"""Whether the daemon lives: exit 0 if `/healthz` answers 200 within three seconds, else 1 and a line why.

Another address than the default one comes as the first argument. The standard library alone, because the image has
neither curl nor anything else that asks. It asks about life, not about readiness: a daemon whose source is down is no
better after a restart.
"""

import sys
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

URL = "http://127.0.0.1:9747/healthz"
SECONDS_MAX = 3


def main(url: str) -> int:
    """The exit code."""
    if not url.startswith("http://"):
        sys.stderr.write(f"{url}: expected http://HOST:PORT/PATH\n")
        return 1
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=SECONDS_MAX):
            return 0
    except HTTPError as refused:
        sys.stderr.write(f"{url}: {refused.code} {refused.read(200).decode(errors='replace').strip()}\n")
    except (URLError, OSError) as failed:
        sys.stderr.write(f"{url}: {failed}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else URL))
