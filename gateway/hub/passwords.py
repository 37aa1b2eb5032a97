"""The passwords of a hub where people share one: made at the first start, printed once."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.errors import SettingsError
from gateway.hub.places import hub_folder, write_private

_FILE = "passwords.json"
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _LETTERS = 4, 5
_HASHER = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Passwords:
    """One for those who administer, one for everybody else."""

    administrators: str
    people: str


def make_passwords(home: Path, *, anew: bool = False) -> Passwords | None:
    """Make the passwords of a home and return them; None where there are some already.

    Only their hashes are kept: what is returned must be shown now.
    """
    path = hub_folder(home) / _FILE
    if path.exists() and not anew:
        return None
    made = Passwords(administrators=_password(), people=_password())
    hashes = {name: _HASHER.hash(word) for name, word in asdict(made).items()}
    write_private(path, json.dumps(hashes))
    return made


def read_hashes(home: Path) -> Passwords:
    """Return the hashes of the passwords.

    Raises:
        SettingsError: There are none, or the file is damaged.
    """
    path = hub_folder(home) / _FILE
    try:
        return Passwords(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(
            f"{path} holds no passwords ({type(error).__name__}); make some with "
            "`gateway up --new-passwords`"
        ) from error


def is_right(kept: str, given: str) -> bool:
    """Tell whether a hash is that of a password; takes a tenth of a second by design."""
    try:
        return _HASHER.verify(kept, given.strip())
    except (VerificationError, InvalidHashError):
        return False


def _password() -> str:
    """Return a word of 99 bits that can be read aloud and typed from a wall."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS)) for _ in range(_GROUPS))
    return "-".join(groups)
