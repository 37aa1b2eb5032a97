"""What a hub keeps in the home: its folder, ports that stay the same, secrets that only we read."""

import json
import os
import secrets
import socket
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.errors import SettingsError

_FOLDER = "hub"
_PORTS = "ports.json"
_SECRETS = "secrets.json"
_COOKIE_SECRET = "cookie_secret"  # noqa: S105 - a file name
_DATABASE = "jupyterhub.sqlite"


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports behind the public one. Running notebook servers know them, so they are kept."""

    hub: int
    proxy: int
    web: int
    galaxy: int


@dataclass(frozen=True, slots=True)
class Secrets:
    """With what the parts of one gateway know each other."""

    proxy: str
    web: str
    galaxy: str


def hub_folder(home: Path) -> Path:
    """Return the folder of the hub in a home, which only its account may enter.

    Raises:
        SettingsError: It cannot be made.
    """
    folder = home / _FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        for name in (_DATABASE, _COOKIE_SECRET):
            _make_private(folder / name, secrets.token_hex(32) if name == _COOKIE_SECRET else "")
    except OSError as error:
        raise SettingsError(
            f"the folder {folder} cannot be made: {error.strerror}; make the home writable for "
            "this account"
        ) from error
    return folder


def people_folder(home: Path) -> Path:
    """Return where the homes of people's local notebook servers are."""
    return home / "people"


def database_url(home: Path) -> str:
    """Return the URL of the hub's database."""
    return f"sqlite:///{hub_folder(home) / _DATABASE}"


def cookie_secret_file(home: Path) -> Path:
    """Return the file of the secret that signs the hub's cookies."""
    return hub_folder(home) / _COOKIE_SECRET


def read_ports(home: Path) -> Ports:
    """Return the ports of a home, chosen among the free ones the first time."""
    path = hub_folder(home) / _PORTS
    kept = _read(path)
    names = Ports.__slots__
    free = iter(_free_ports(len(names)))
    ports = Ports(**{name: int(str(kept.get(name) or next(free))) for name in names})
    if asdict(ports) != kept:
        _make_private(path, json.dumps(asdict(ports)), anew=True)
    return ports


def read_secrets(home: Path) -> Secrets:
    """Return the secrets of a home, made the first time."""
    path = hub_folder(home) / _SECRETS
    kept = _read(path)
    made = Secrets(**{n: str(kept.get(n) or secrets.token_hex(32)) for n in Secrets.__slots__})
    if asdict(made) != kept:
        _make_private(path, json.dumps(asdict(made)), anew=True)
    return made


def write_private(path: Path, text: str) -> None:
    """Write a file that only this account may read; it appears whole."""
    _make_private(path, text, anew=True)


def _read(path: Path) -> dict[str, object]:
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path} cannot be read ({error}); delete it, and running notebook servers have to be "
            "started anew"
        ) from error
    return kept if isinstance(kept, dict) else {}


def _make_private(path: Path, text: str, *, anew: bool = False) -> None:
    if path.exists() and not anew:
        return
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
