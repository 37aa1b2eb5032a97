"""Credentials and region of AWS clients, from where `aws configure` leaves them."""

import configparser
import os
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import StoreError

_ELSEWHERE = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""Where one of these is set, clients find their credentials by themselves."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile of the shared files."""

    name: str
    credentials_file: Path
    config_file: Path
    keys: dict[str, str] = field(repr=False)
    """`access_key_id`, `secret_access_key` and perhaps `token`."""


def find_profile() -> Profile | None:
    """Return the profile to sign with; None where the environment, or nobody, has credentials.

    Raises:
        StoreError: `AWS_PROFILE` names a profile that is not there, or the file is malformed.
    """
    if any(name in os.environ for name in _ELSEWHERE):
        return None
    path = _file("AWS_SHARED_CREDENTIALS_FILE", "credentials")
    wanted = os.environ.get("AWS_PROFILE")
    found = _read(path)
    name = wanted or "default"
    if not found.has_section(name):
        if wanted is None:
            return None
        there = ", ".join(found.sections()) or "none"
        raise StoreError(f"AWS_PROFILE is {wanted!r}, but {path} has the profiles: {there}")
    section = found[name]
    if "aws_access_key_id" not in section or "aws_secret_access_key" not in section:
        return None  # a profile of another kind, such as a role
    keys = {
        "access_key_id": section["aws_access_key_id"],
        "secret_access_key": section["aws_secret_access_key"],
    }
    if "aws_session_token" in section:
        keys["token"] = section["aws_session_token"]
    return Profile(name, path, _file("AWS_CONFIG_FILE", "config"), keys)


def find_region() -> str:
    """Return the region of the environment or of the profile; `us-east-1` where none is said."""
    said = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if said:
        return said
    name = os.environ.get("AWS_PROFILE", "default")
    section = "default" if name == "default" else f"profile {name}"
    return _read(_file("AWS_CONFIG_FILE", "config")).get(section, "region", fallback="us-east-1")


def _file(variable: str, name: str) -> Path:
    return Path(os.environ.get(variable, f"~/.aws/{name}")).expanduser()


def _read(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(default_section="", interpolation=None)
    try:
        parser.read(path)
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} cannot be read: {type(error).__name__}; mend the file") from error
    return parser
