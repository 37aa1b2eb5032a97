"""A store in an S3 bucket, or in anything that speaks its protocol."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import obstore
import obstore.store

from gateway.errors import ExistsError, NotFoundError, RefError, StoreError
from gateway.volumes.aws import find_profile, find_region
from gateway.volumes.keys import ROOT_FILES, Listing, parse_key
from gateway.volumes.objects import CLIENT, RETRIES, Objects, public_url

_OPTIONS = ("endpoint", "region", "anonymous")
_DELETE_AT_ONCE = 500
_COPIES_AT_ONCE = 16


class S3Store:
    """Objects below one prefix of a bucket.

    Credentials come from the environment, the shared files of `aws configure` or the machine;
    they are never part of the URL. `endpoint`, `region` and `anonymous=true` may be, as its query.
    """

    def __init__(self, url: str) -> None:
        """Open `s3://BUCKET/PREFIX`; nothing is asked of the server yet.

        Raises:
            RefError: The URL has no bucket, an odd prefix or an unknown option.
        """
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        unknown = sorted(set(options) - set(_OPTIONS))
        if not parts.netloc or "@" in parts.netloc or unknown:
            raise RefError(
                f"store URL {public_url(url)!r} is not understood; expected s3://BUCKET/PREFIX, "
                f"with ?{', '.join(_OPTIONS)} where needed and credentials in the environment"
            )
        self._url = url
        self._bucket = parts.netloc
        self._prefix = parse_key(unquote(parts.path).strip("/"))
        self._endpoint = options.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL")
        self._region = options.get("region") or find_region()
        self._anonymous = options.get("anonymous", "").lower() in {"1", "true", "yes"}
        self._profile = None if self._anonymous else find_profile()
        config: dict[str, Any] = dict(self._profile.keys) if self._profile else {}
        if self._endpoint:
            config["endpoint"] = self._endpoint
        self._client = obstore.store.S3Store(
            self._bucket,
            prefix=self._prefix or None,
            client_options=CLIENT,
            retry_config=RETRIES,
            region=self._region,
            skip_signature=self._anonymous,
            config=cast("Any", config),
        )
        self._objects = Objects(self._client, url, is_public=self._anonymous)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the URL: credentials stay where they are."""
        return (S3Store, (self._url,))

    @property
    def url(self) -> str:
        """The URL, as it was opened."""
        return self._url

    @property
    def objects(self) -> Objects:
        """What it asks for objects, for those who ask without waiting."""
        return self._objects

    @property
    def writable(self) -> bool:
        """False for an anonymous visitor; else only a write can tell."""
        return not self._anonymous

    def get(self, key: str) -> bytes:
        """Return the content of an object.

        Raises:
            NotFoundError: There is no such object.
            StoreError: The server failed or refused.
        """
        return self._objects.get(parse_key(key))

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading by ranges.

        Raises:
            NotFoundError: There is no such object.
        """
        return self._objects.open(parse_key(key))

    def put(self, key: str, data: bytes) -> None:
        """Write an object whole.

        Raises:
            StoreError: The server failed or refused.
        """
        self._require_writable(key)
        with self._objects.guard(key):
            obstore.put(self._client, parse_key(key), data)

    def exists(self, key: str) -> bool:
        """Whether there is an object of that key, or any below it."""
        parse_key(key)
        if key and self._objects.has(key):
            return True
        try:
            listing = self.list(key)
        except NotFoundError:
            return False  # a public bucket need not let itself be listed
        return bool(listing.folders or listing.files)

    def list(self, prefix: str = "") -> Listing:
        """Name the folders and objects directly below a prefix."""
        parse_key(prefix)
        with self._objects.guard(prefix):
            found = obstore.list_with_delimiter(self._client, prefix or None)
        folders = sorted(path.rsplit("/", 1)[-1] for path in found["common_prefixes"])
        files = sorted(item["path"].rsplit("/", 1)[-1] for item in found["objects"])
        return Listing(tuple(folders), tuple(files))

    def delete(self, prefix: str) -> None:
        """Remove an object and all below it.

        Raises:
            RefError: The prefix is the store itself.
        """
        if prefix == "":
            raise RefError(f"deleting the whole store {self.url} is refused; name what to delete")
        self._require_writable(prefix)
        keys = list(self._tree(prefix))
        if self._objects.has(parse_key(prefix)):
            keys.append(prefix)
        # What makes a thing visible goes first, so that no half of it is seen.
        keys.sort(key=lambda key: (_visibility(prefix, key) == 0, key))
        with self._objects.guard(prefix):
            for first in range(0, len(keys), _DELETE_AT_ONCE):
                obstore.delete(self._client, keys[first : first + _DELETE_AT_ONCE])

    def publish(self, staged_key: str, final_key: str) -> None:
        """Copy a staged object or tree to its final key, what makes it visible last.

        S3 has no rename. A publication that was cut short is invisible, and is done again.

        Raises:
            ExistsError: The final key is taken.
            NotFoundError: Nothing is staged under that key.
        """
        self._require_writable(final_key)
        keys = list(self._tree(staged_key)) or [staged_key]
        keys.sort(key=lambda key: (_visibility(staged_key, key), key))
        if not self._objects.has(keys[-1]):
            raise NotFoundError(f"nothing is staged at {staged_key} in {self.url}")
        targets = [final_key + key[len(staged_key) :] for key in keys]
        if self._objects.has(parse_key(targets[-1])):
            raise ExistsError(
                f"{final_key} already exists in the store {self.url}: what exists is immutable; "
                "choose another name"
            )
        content = [key for key in keys if _visibility(staged_key, key) == 0]
        with ThreadPoolExecutor(_COPIES_AT_ONCE) as pool:
            list(pool.map(self._copy, content, targets))
        for key, target in zip(keys[len(content) : -1], targets[len(content) : -1], strict=True):
            self._copy(key, target)
        last = self.get(keys[-1])
        with self._objects.guard(final_key):
            obstore.put(self._client, targets[-1], last, mode="create")
        self.delete(staged_key)

    def kvstore(self, key: str) -> dict[str, Any]:
        """Return the TensorStore key-value store of a folder."""
        path = "/".join(part for part in (self._prefix, parse_key(key)) if part)
        spec: dict[str, Any] = {
            "driver": "s3",
            "bucket": self._bucket,
            "path": f"{path}/" if path else "",
            "aws_region": self._region,
        }
        if self._endpoint:
            spec["endpoint"] = self._endpoint
        if self._anonymous:
            spec["aws_credentials"] = {"type": "anonymous"}
        elif "AWS_ACCESS_KEY_ID" in os.environ:
            spec["aws_credentials"] = {"type": "environment"}
        elif self._profile:
            spec["aws_credentials"] = {
                "type": "profile",
                "profile": self._profile.name,
                "credentials_file": str(self._profile.credentials_file),
                "config_file": str(self._profile.config_file),
            }
        return spec

    def local_path(self, key: str) -> Path | None:
        """Return None: objects lie on no machine's disk."""
        parse_key(key)
        return None

    def free_bytes(self) -> int | None:
        """Return None: a bucket has no end."""

    def _tree(self, prefix: str) -> Iterator[str]:
        with self._objects.guard(prefix):
            for batch in obstore.list(self._client, parse_key(prefix)):
                for item in batch:
                    if item["path"] != prefix:
                        yield item["path"]

    def _copy(self, key: str, target: str) -> None:
        with self._objects.guard(target):
            obstore.copy(self._client, key, target)

    def _require_writable(self, key: str) -> None:
        if not self.writable:
            raise StoreError(
                f"the store {self._url} was opened with anonymous=true, so {key} cannot be "
                "written; open it without, with credentials in the environment"
            )


def _visibility(root: str, key: str) -> int:
    """0 for content, 1 for a file at the root of a thing, 2 for the file that makes it one."""
    relative = key[len(root) :].strip("/")
    if relative in ROOT_FILES:
        return 2
    return int("/" not in relative)
