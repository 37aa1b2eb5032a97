"""What the gateway signs with: one secret per home, made on first use."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from itsdangerous import BadSignature, URLSafeTimedSerializer

from gateway.errors import SettingsError, SignInError
from gateway.service.gateway import Gateway

SECRET_FILE = "secret.key"  # noqa: S105 - a file name
_BYTES = 32


def signer(gateway: Gateway, purpose: str) -> URLSafeTimedSerializer:
    """Return what signs values for one purpose; no other purpose accepts them."""
    return URLSafeTimedSerializer(secret_of(gateway), salt=f"gateway.{purpose}")


def unsign(gateway: Gateway, purpose: str, text: str, max_age_s: int | None = None) -> Any:
    """Return the value that was signed.

    Raises:
        SignInError: The text was not signed here for this purpose, or too long ago.
    """
    try:
        return signer(gateway, purpose).loads(text, max_age=max_age_s)
    except BadSignature as error:
        raise SignInError("this link was not made by this gateway, or has expired") from error


def secret_of(gateway: Gateway) -> bytes:
    """Return the secret of a home, made on first use.

    Raises:
        SettingsError: It cannot be made or read, or is damaged.
    """
    path = gateway.home / SECRET_FILE
    if not path.exists():
        _make_secret(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"the secret {path} cannot be read: {error.strerror}; the service must run under the "
            "account that made the home"
        ) from error
    if len(content) != _BYTES:
        raise SettingsError(
            f"the secret {path} has {len(content)} bytes, expected {_BYTES}: delete it, and all "
            "links that were signed with it end"
        )
    return content


def _make_secret(path: Path) -> None:
    """Make the secret, whole from the first moment; of several processes one wins."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
        with suppress(FileExistsError):
            os.link(part, path)
    except OSError as error:
        raise SettingsError(
            f"the secret {path} cannot be made: {error.strerror}; "
            "make the home writable for this account"
        ) from error
    finally:
        part.unlink(missing_ok=True)
