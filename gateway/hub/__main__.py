"""`python -m gateway.hub`: JupyterHub before the gateway of the home that `GATEWAY_HOME` names."""

import json
import os
import sys
from argparse import ArgumentParser

from gateway.errors import GatewayError, SettingsError
from gateway.hub.front_door import Opened, keep_open
from gateway.service.settings import find_home

_FAILED, _BAD_CALL, _CANCELLED = 1, 2, 130


def main() -> int:
    """Keep the hub open until told to stop; return the exit code."""
    options = ArgumentParser(prog="gateway up", add_help=False)
    options.add_argument("--json", action="store_true")
    options.add_argument("--new-passwords", action="store_true")
    given = options.parse_args()

    def opened(what: Opened) -> None:
        said = [json.dumps(facts(what))] if given.json else lines(what)
        print("\n".join(said), flush=True)  # noqa: T201 - the program's answer

    try:
        keep_open(find_home(), say=_say, opened=opened, new_passwords=given.new_passwords)
    except GatewayError as error:
        code = _BAD_CALL if isinstance(error, SettingsError) else _FAILED
        if given.json:
            kind = type(error).__name__
            failed = {"error": {"type": kind, "message": str(error), "exit_code": code}}
            print(json.dumps(failed, indent=2))  # noqa: T201 - the program's answer
        _say(f"gateway: {error}")
        return code
    except KeyboardInterrupt:
        return _CANCELLED
    return 0


def facts(what: Opened) -> dict[str, object]:
    """Return what a program is told."""
    made = what.passwords
    return {
        "address": f"{what.facts.front}/",
        "spawner": what.kind.name,
        "owner": what.facts.owner,
        "only_owner": what.only_owner,
        "administrator_password": made.administrators if made else None,
        "shared_password": made.people if made and not what.only_owner else None,
        "log": str(what.log),
        "pid": os.getpid(),
    }


def lines(what: Opened) -> list[str]:
    """Return what a person is told."""
    owner, made = what.facts.owner, what.passwords
    said = [f"Brain Gateway is up at {what.facts.front}/"]
    if made is not None:
        said.append(f"Sign in as {owner} (administrator) with {made.administrators}")
        if not what.only_owner:
            said.append(f"Others sign in with a name of theirs and {made.people}")
        said.append("This is shown once; `gateway up --new-passwords` makes others.")
    elif what.facts.settings.hub_sign_in == "shared":
        said.append(
            f"Sign in as {owner} with the password of the first start, or start again with "
            "--new-passwords"
        )
    if what.only_owner:
        said.append(
            f"Notebook servers are {what.kind.title}, under one account: only {owner} may sign in. "
            "The setting hub_people_trust_one_another lets others in."
        )
    said.append(f"Log: {what.log}. Ctrl-C stops everything.")
    return said


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - messages of the program


if __name__ == "__main__":
    sys.exit(main())
