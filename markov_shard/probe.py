"""The container's health check: asks this container's own process whether it is live, needing no shell and no curl.

It runs every few seconds within the container's own share of the CPU, so it imports next to nothing.
"""

import http.client
import os
import sys


def main() -> int:
    """0 when the process answers 200, else 1 with the reason; PROBE_PATH asks another endpoint, such as /readyz."""
    port, path = int(os.environ.get("HTTP_PORT", "8400")), os.environ.get("PROBE_PATH", "/livez")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        sys.stdout.write(response.read(1000).decode(errors="replace"))
    except (http.client.HTTPException, OSError) as error:
        sys.stderr.write(f"port {port}, {path}: {error}\n")
        return 1
    return 0 if response.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
