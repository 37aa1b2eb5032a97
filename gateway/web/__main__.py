"""`python -m gateway.web`: serves the home that `GATEWAY_HOME` names."""

import json
import os
import signal
import sys
import threading
import webbrowser
from argparse import ArgumentParser
from types import FrameType

from gateway.errors import GatewayError, SettingsError
from gateway.service.access.hub_asking import hub_configured
from gateway.service.access.login import (
    end_login_key,
    local_administrator,
    login_key,
    providers,
)
from gateway.service.gateway import open_gateway
from gateway.web.server import serve

_FAILED, _BAD_CALL = 1, 2


def main() -> int:
    """Serve until told to stop; return the exit code."""
    options = ArgumentParser(prog="gateway serve", add_help=False)
    options.add_argument("--json", action="store_true")
    options.add_argument("--open", action="store_true")
    options.add_argument("--tied", action="store_true", help="stop when the input ends")
    given = options.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    if given.tied:
        threading.Thread(target=_stop_with_input, name="tied", daemon=True).start()
    try:
        gateway = open_gateway()
        with gateway.catalogue:
            providers(gateway)  # a missing setting is told now, not to who signs in
            # behind a hub what is printed goes to its log, which is no place for a key
            hub = hub_configured(gateway.settings)
            key = "" if hub else login_key(gateway, local_administrator(gateway))

            def started(address: str, listening: str) -> None:
                login = f"{address}/login?key={key}" if key else f"{address}/login"
                facts = {"address": address, "login": login, "listening": listening}
                _tell({**facts, "store": gateway.settings.store}, as_json=given.json)
                if given.open:
                    webbrowser.open(login)

            try:
                serve(gateway, started=started)
            finally:
                if key:
                    end_login_key(gateway, key)
    except GatewayError as error:
        code = _BAD_CALL if isinstance(error, SettingsError) else _FAILED
        if given.json:
            kind = type(error).__name__
            said = {"error": {"type": kind, "message": str(error), "exit_code": code}}
            print(json.dumps(said, indent=2))  # noqa: T201 - the program's answer
        print(f"gateway: {error}", file=sys.stderr)  # noqa: T201 - as above
        return code
    return 0


def _tell(facts: dict[str, str], *, as_json: bool) -> None:
    lines = ["Brain Gateway serves {store} at {address}", "Sign in: {login}"]
    if facts["listening"] != facts["address"]:
        lines.append("The proxy finds it at {listening}")
    said = [json.dumps(facts)] if as_json else [line.format(**facts) for line in lines]
    print("\n".join(said), flush=True)  # noqa: T201 - the program's answer


def _stop_with_input() -> None:
    """End when whoever started this process ends, in whatever way: the pipe between closes."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(number: int, frame: FrameType | None) -> None:
    """End well: before the service listens, and after it has stopped listening."""
    del number, frame
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
