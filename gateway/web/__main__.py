"""`python -m gateway.web`: serves the home that `GATEWAY_HOME` names."""

import sys

from gateway.errors import GatewayError
from gateway.service.access.login import local_administrator, login_key
from gateway.service.gateway import open_gateway
from gateway.web.server import serve


def main() -> int:
    """Serve until told to stop; return the exit code."""
    try:
        gateway = open_gateway()
        key = login_key(gateway, local_administrator(gateway))

        def started(address: str) -> None:
            print(f"Brain Gateway serves {gateway.settings.store} at {address}", flush=True)  # noqa: T201 - the program's answer
            print(f"Sign in: {address}/login?key={key}", flush=True)  # noqa: T201 - as above

        serve(gateway, started=started)
    except GatewayError as error:
        print(f"gateway: {error}", file=sys.stderr)  # noqa: T201 - as above
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
