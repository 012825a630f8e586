"""The image's health check: exit code 0 when the service in this container is ready."""

import http.client
import os
import sys


def is_ready(port: int) -> bool:
    """Whether /readyz on loopback answers 200 within two seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    given = os.environ.get("WHETSTONE_TOOLS_PORT", "")
    sys.exit(0 if is_ready(int(given) if given.isdecimal() else 8080) else 1)
