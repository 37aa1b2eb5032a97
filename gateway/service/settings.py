"""The settings of one gateway: read once, from its home's file and the environment."""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ByteSize, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from gateway.errors import SettingsError
from gateway.service.hub_settings import HubSettings

SETTINGS_FILE = "gateway.toml"
_PREFIX = "GATEWAY_"
_HOME_VARIABLE = "GATEWAY_HOME"
_ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]\Z")
_SECRET = frozenset(
    {
        "catalogue",
        "galaxy_database",
        "hub_api_token",
        "hub_client_secret",
        "metrics_token",
        "oauth2_client_secret",
    }
)
_NEARLY = 0.85
_SAFE_URL = r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])([:/]|$))"
_LEAST_MEMORY = 256_000_000


def _check_orcid(text: str) -> str:
    """Check the form and the ISO 7064 check digit of an ORCID iD."""
    orcid = text.removeprefix("https://orcid.org/")
    if not _ORCID.match(orcid):
        raise ValueError("an ORCID iD has the form 0000-0002-1825-0097")
    digits, check = orcid[:-1].replace("-", ""), orcid[-1]
    total = 0
    for digit in digits:
        total = (total + int(digit)) * 2
    if "0123456789X"[(12 - total % 11) % 11] != check:
        raise ValueError("the check digit of this ORCID iD is wrong; one digit is mistyped")
    return orcid


class Settings(HubSettings):
    """Everything one gateway lets you choose; frozen, passed down, never looked up.

    Each setting is a line of `gateway.toml` in the home, or an environment variable with the
    prefix `GATEWAY_`, which wins: `GATEWAY_MEMORY=8GB`.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=_PREFIX, validate_default=True
    )

    store: str = Field(default="store", min_length=1)
    """Folder or URL that holds the datasets; a relative folder is inside the home."""
    catalogue: SecretStr = SecretStr("sqlite:///catalogue.sqlite")
    """Database URL; may hold a password. A relative SQLite file is inside the home."""
    memory: Annotated[ByteSize, Field(ge=_LEAST_MEMORY)] = ByteSize(2_000_000_000)
    """Most memory one run may use, all its processes together: `2GB`, `512MiB`."""
    workers: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Worker processes of a run; unset means one per core, as far as memory allows."""
    engine: Literal["local", "docker"] = "local"
    """What executes runs: processes of this machine, or containers of each tool's image. What
    reads or writes files outside the store, such as ingest and export, is always a process."""
    image_name: str = Field(default="{image}:{version}", pattern=r"\{image\}")
    """How an image is called where a tool declares `{image}` and the gateway has `{version}`:
    `registry.example.org/{image}:{version}`."""
    docker_host: str | None = Field(default=None, pattern=r"^(unix|tcp|ssh|npipe)://")
    """The container engine: `unix:///run/user/1000/docker.sock`; unset takes the usual one."""
    docker_network: str | None = Field(default=None, min_length=1)
    """Network of containers that reach a store in a bucket; unset takes the engine's usual one. For
    a store that is a folder they have none."""
    person_name: str | None = Field(default=None, max_length=200)
    """Who runs things here, as the provenance shall name them; unset takes the account's name."""
    person_orcid: Annotated[str, AfterValidator(_check_orcid)] | None = None
    """Their ORCID iD."""
    host: str = Field(default="127.0.0.1", min_length=1)
    """Address the web service listens on; only this machine by default."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8700
    """Its port; 0 takes a free one."""
    base_url: str | None = Field(default=None, pattern=r"^https?://[^/]+(/.*[^/])?$")
    """What people type to reach the web service behind a proxy: `https://brains.example.org/lab`."""
    allowed_origins: tuple[str, ...] = ()
    """Origins of other sites whose pages may call the API with their own tokens. Chunk bytes under
    a share link are open to every origin, since the link itself is the key."""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """Addresses of the proxies that may say, with X-Forwarded-For, where a request came from; heard
    only where base_url is set."""
    web_workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes of the web service."""
    inboxes: tuple[Path, ...] = ()
    """Folders of this machine that people may ingest from through the web."""
    runs_per_person: Annotated[int, Field(ge=1, le=1000)] = 2
    """Runs of one person at a time, asked for through the web; more wait."""
    upload: Annotated[ByteSize, Field(ge=0)] = ByteSize(2_000_000_000)
    """Largest file that may be uploaded in the browser."""
    cutout: Annotated[ByteSize, Field(ge=0)] = ByteSize(2_000_000_000)
    """Largest box of voxels, or piece of a table, that may be downloaded at once."""
    oauth2_client_id: str | None = None
    """Name of this gateway at a trusted OAuth2 server; unset means that people sign in here."""
    oauth2_client_secret: SecretStr | None = None
    """Its secret there."""
    oauth2_authorize_url: str | None = Field(default=None, pattern=_SAFE_URL)
    """Where the OAuth2 server asks people to sign in; an `http://` address must be this machine."""
    oauth2_token_url: str | None = Field(default=None, pattern=_SAFE_URL)
    """Where it exchanges codes for tokens."""
    oauth2_userinfo_url: str | None = Field(default=None, pattern=_SAFE_URL)
    """Where it says who somebody is."""
    oauth2_scope: str = "openid profile"
    """What is asked of it."""
    oauth2_username_claim: str = "preferred_username"
    """Which claim of its answer is the person's name here."""
    oauth2_groups_claim: str | None = None
    """Which claim lists their groups; unset means that groups are kept here."""
    oauth2_allowed: tuple[str, ...] = ()
    """Who may sign in by it: names, `group:NAME`, or `*` for all; others only if an administrator
    has added them."""
    oauth2_label: str = Field(default="Institute account", min_length=1, max_length=60)
    """What its button on the sign-in page says."""
    keep_journals_days: Annotated[int, Field(ge=0, le=36_500)] = 180
    """Days after its end for which the events and the log of a run asked for through the web are
    kept; its record stays with the data. 0 keeps them for ever."""
    keep_audit_days: Annotated[int, Field(ge=0, le=36_500)] = 1095
    """Days for which the audit log is kept; 0 keeps it for ever."""
    body: Annotated[ByteSize, Field(ge=1_000_000)] = ByteSize(64_000_000)
    """Largest body of one request to the API."""
    metrics_token: SecretStr | None = Field(default=None, min_length=16)
    """Bearer token with which Prometheus may read /metrics from elsewhere than this machine."""
    devices: tuple[str, ...] = ()
    """CDI names of the GPUs that are lent: `nvidia.com/gpu=0`; empty takes all that the NVIDIA
    driver of this machine knows."""
    device_shares: Annotated[int, Field(ge=1, le=64)] = 1
    """How many may hold one GPU at once who asked for a share of it."""
    galaxy_domain: str | None = Field(default=None, pattern=r"^[A-Za-z0-9.\-]+$")
    """Domain of the addresses that Galaxy gives to people who come to it through the hub: `ana` is
    then `ana@DOMAIN` there. Unset, a Galaxy user is the person named by the whole address."""
    galaxy: bool = False
    """Whether `gateway up` runs Galaxy too, behind the hub; `--galaxy` says the same."""
    galaxy_port: Annotated[int, Field(ge=1, le=65535)] = 8790
    """Port on this machine of the Galaxy that `gateway-galaxy up` starts."""
    galaxy_admins: tuple[str, ...] = ()
    """Addresses of the Galaxy users who administer it."""
    galaxy_database: SecretStr | None = None
    """Its database, `postgresql://USER:PASSWORD@HOST/NAME`; unset takes a SQLite file."""
    galaxy_environment: Path | None = None
    """Folder that Galaxy is installed in; unset takes one in the cache of the account."""
    galaxy_workers: Annotated[int, Field(ge=1, le=256)] | None = None
    """Jobs of Galaxy that run at a time on this machine; unset takes half its cores."""
    galaxy_runner: Literal["local", "slurm"] = "local"
    """Where jobs of Galaxy's tools run: this machine, or nodes of Slurm that see home and store."""
    galaxy_slurm_partition: str | None = Field(default=None, min_length=1)
    """Partition of those jobs; unset takes Slurm's own choice."""
    galaxy_slurm_hours: Annotated[int, Field(ge=1, le=720)] = 24
    """How long such a job may run."""
    galaxy_hosts: tuple[str, ...] = ()
    """Web hosts whose OME-Zarr volumes people of Galaxy may register by address: `data.lab.org`,
    `*.lab.org`; empty refuses every address."""
    log_json: bool = False
    """Whether the web service logs JSON lines rather than text."""
    log_chunks: bool = False
    """Whether each request for chunk bytes has a line in the log too; the metrics count all."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, whose values arrive as arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings)


def find_home(home: Path | None = None) -> Path:
    """Return the gateway home meant: the one given, or the one `GATEWAY_HOME` names.

    Raises:
        SettingsError: Neither is there, or the folder is no gateway home.
    """
    named = home if home is not None else os.environ.get(_HOME_VARIABLE)
    if not named:
        raise SettingsError(
            "no gateway home is selected; make one with `gateway init HOME`, "
            f"then pass --home HOME or set {_HOME_VARIABLE}=HOME"
        )
    path = Path(named).expanduser().absolute()
    if not (path / SETTINGS_FILE).is_file():
        missing = "does not exist" if not path.exists() else f"has no {SETTINGS_FILE}"
        raise SettingsError(
            f"{path} is no gateway home: it {missing}; make it one with `gateway init {path}`"
        )
    return path


def read_settings(home: Path) -> Settings:
    """Read the settings of a home from its `gateway.toml` and the environment.

    Relative places (store folder, SQLite file) come back absolute.

    Raises:
        SettingsError: The file is broken, or a setting is unknown or out of bounds.
    """
    file = home / SETTINGS_FILE
    values = _read_toml(file)
    _refuse_unknown(values, file)
    _refuse_misspelt(os.environ)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsError(_explain(error, file)) from error
    return settings.model_copy(
        update={
            "store": _resolve_store(settings.store, home),
            "catalogue": SecretStr(_resolve_catalogue(settings.catalogue.get_secret_value(), home)),
        }
    )


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{file} is not valid TOML: {error}; mend that line, or delete the file and run "
            f"`gateway init {file.parent}` for a fresh one"
        ) from error
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from error


def _refuse_unknown(values: dict[str, Any], file: Path) -> None:
    known = sorted(Settings.model_fields)
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise SettingsError(f"{file} has an unknown setting {name!r}; {hint}")


def _refuse_misspelt(names: Iterable[str]) -> None:
    """Refuse a variable that is nearly a setting: it would be ignored without a word."""
    known = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields]
    for name in sorted(set(names) - {*known, _HOME_VARIABLE}):
        near = difflib.get_close_matches(name, known, n=1, cutoff=_NEARLY)
        if name.startswith(_PREFIX) and near:
            raise SettingsError(
                f"the environment variable {name} is no setting; did you mean {near[0]}?"
            )


def _explain(error: ValidationError, file: Path) -> str:
    """Name each wrong setting, its value, where it was given, and what it should be."""
    lines = []
    for problem in error.errors():
        name = str(problem["loc"][0])
        variable = f"{_PREFIX}{name.upper()}"
        place = f"environment variable {variable}" if variable in os.environ else str(file)
        value = "" if name in _SECRET else f" = {problem['input']!r}"
        reason = problem["msg"].removeprefix("Value error, ")
        lines.append(f"setting {name}{value} ({place}): {reason}")
    return "; ".join(lines)


def _resolve_store(store: str, home: Path) -> str:
    return store if "://" in store else str(home / Path(store).expanduser())


def _resolve_catalogue(text: str, home: Path) -> str:
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise SettingsError(
            "setting catalogue is not a database URL; expected sqlite:///FILE "
            "or postgresql://USER:PASSWORD@HOST/DATABASE"
        ) from error
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        url = url.set(database=str(home / url.database))
    return url.render_as_string(hide_password=False)
