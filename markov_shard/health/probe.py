"""The container's health check: asks this container's own process whether it is live, needing no shell and no curl."""

import os
import sys
import urllib.error
import urllib.request


def main() -> int:
    """0 when the process answers 200, else 1 with the reason; PROBE_PATH asks another endpoint, such as /readyz."""
    url = f"http://127.0.0.1:{os.environ.get('HTTP_PORT', '8400')}{os.environ.get('PROBE_PATH', '/livez')}"
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            sys.stdout.write(response.read(1000).decode(errors="replace"))
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        sys.stderr.write(f"{url}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
