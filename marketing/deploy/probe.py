"""Exit 0 when an address answers 200; for health checks in images without curl."""

import sys
import urllib.request


def main(address: str) -> int:
    # As from the proxy in front: with https in PUBLIC_URL a plain request would be redirected.
    request = urllib.request.Request(address, headers={"X-Forwarded-Proto": "https"})
    try:
        with urllib.request.urlopen(request, timeout=6) as answer:
            return 0 if answer.status == 200 else 1
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
