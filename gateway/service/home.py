"""The gateway home: a folder with the settings and, by default, store and catalogue."""

from pathlib import Path

from gateway.errors import SettingsError
from gateway.records.catalogue import open_catalogue
from gateway.service.settings import SETTINGS_FILE, Settings, read_settings
from gateway.volumes.store import open_store

_PART = f".{SETTINGS_FILE}.part"
_OURS = {_PART, "store", "catalogue.sqlite", "catalogue.sqlite-wal", "catalogue.sqlite-shm"}

TEMPLATE = """\
# Settings of this gateway. An environment variable wins over a line here: GATEWAY_MEMORY=8GB.

# Where the datasets are: a folder (relative ones are inside this home) or a URL, s3://BUCKET/PREFIX.
store = "store"

# The database: a SQLite file, or postgresql://USER:PASSWORD@HOST/DATABASE.
catalogue = "sqlite:///catalogue.sqlite"

# Most memory one run may use, all its processes together.
memory = "2GB"

# Worker processes of a run; unset means one per core, as far as memory allows.
# workers = 4

# Where runs compute: in processes of this machine, or in containers of the tools' images.
# engine = "docker"
# image_name = "registry.example.org/{image}:{version}"
# docker_host = "unix:///run/user/1000/docker.sock"
# docker_network = "bridge"

# Who runs things here, as the record of every run shall say; unset means the account's name.
# person_name = "Santiago Ramón y Cajal"
# person_orcid = "0000-0002-1825-0097"

# The web service, `gateway serve`. By default it answers this machine only.
# host = "127.0.0.1"
# port = 8700
# web_workers = 2

# What people type where a proxy (nginx, Apache) stands before it and does TLS.
# base_url = "https://brains.example.org/lab"
# trusted_proxies = ["127.0.0.1"]

# Other sites whose pages may call the API with tokens of their own.
# allowed_origins = ["https://viewer.example.org"]

# Folders that people may ingest from, and how much one person may ask for through the web.
# inboxes = ["/data/microscope"]
# runs_per_person = 2
# upload = "2GB"
# body = "64MB"
# cutout = "2GB"

# How long logs of ended runs, and lines of the audit log, are kept; 0 keeps them for ever.
# keep_journals_days = 180
# keep_audit_days = 1095

# Signing in with the accounts of an OAuth2 server.
# oauth2_client_id = "brain-gateway"
# oauth2_client_secret = "…"
# oauth2_authorize_url = "https://login.example.org/authorize"
# oauth2_token_url = "https://login.example.org/token"
# oauth2_userinfo_url = "https://login.example.org/userinfo"
# oauth2_scope = "openid profile"
# oauth2_username_claim = "preferred_username"
# oauth2_groups_claim = "groups"
# oauth2_allowed = ["group:brainlab"]
# oauth2_label = "Institute account"

# JupyterHub as the front door, `gateway up`: where it answers, how people sign in, where their
# notebook servers run and how large they are.
# hub_port = 8000
# hub_spawner = "auto"
# hub_sign_in = "shared"
# hub_administrators = ["ana"]
# hub_allowed = ["group:brainlab"]
# hub_people_trust_one_another = true
# hub_images = ["lab=brain-gateway/lab:0.1.0"]
# hub_inner_host = "gateway.cluster.example.org"
# hub_cluster_gpu = "nvidia.com/gpu"
# hub_slurm_partition = "interactive"
# hub_slurm_hours = 8
# hub_namespace = "brains"
# hub_disk = "10GB"
# hub_memory = "8GB"
# hub_cores = 4
# hub_processes = 1024
# hub_network = "gateway"
# hub_idle_minutes = 60
# hub_servers_per_person = 3
# hub_start_seconds = 120
# hub_extra_config = "/etc/gateway/hub_extra.py"
# hub_proxy = "configurable-http-proxy"

# Signing in to the hub with accounts from elsewhere.
# hub_client_id = "brain-gateway"
# hub_client_secret = "…"
# hub_authorize_url = "https://login.example.org/authorize"
# hub_token_url = "https://login.example.org/token"
# hub_userinfo_url = "https://login.example.org/userinfo"
# hub_username_claim = "preferred_username"
# hub_groups_claim = "groups"
# hub_institutes = ["https://idp.example.org/shibboleth"]
# hub_lti_issuer = "https://courses.example.org"
# hub_lti_keys_url = "https://courses.example.org/mod/lti/certs.php"

# A web service behind a hub that was not started by `gateway up`.
# hub_url = "/hub/"
# hub_api_url = "http://127.0.0.1:8081/hub/api"
# hub_api_token = "…"
# hub_check_seconds = 10

# The domain of the addresses that Galaxy gives to people.
# galaxy_domain = "example.org"

# A Galaxy of its own: `gateway up` with this setting, or alone with `gateway-galaxy up`.
# galaxy = true
# galaxy_port = 8790
# galaxy_admins = ["ana@example.org"]
# galaxy_database = "postgresql://USER:PASSWORD@HOST/galaxy"
# galaxy_environment = "/opt/galaxy"
# galaxy_workers = 4
# galaxy_hosts = ["data.example.org"]

# Where its jobs run: this machine, or a Slurm cluster whose nodes see home and store.
# galaxy_runner = "slurm"
# galaxy_slurm_partition = "batch"
# galaxy_slurm_hours = 24

# The graphics cards that are lent to runs, and how many may share one.
# devices = ["nvidia.com/gpu=0"]
# device_shares = 1

# What is logged, and the bearer token with which Prometheus reads /metrics from elsewhere.
# log_json = true
# log_chunks = false
# metrics_token = "at least sixteen characters"
"""


def init_home(path: Path) -> Settings:
    """Make `path` a gateway home: settings file, store folder, catalogue.

    Running it again on a home changes nothing that is there and adds what is missing.

    Args:
        path: A folder that does not exist, is empty, or already is a home.

    Returns:
        The settings of the home.

    Raises:
        SettingsError: The path is a file, a folder with other things in it, or not writable.
        StoreError: The catalogue cannot be reached or written.
    """
    home = path.expanduser().absolute()
    try:
        home.mkdir(parents=True, exist_ok=True)
        _refuse_foreign(home)
        _write_settings(home)
        settings = read_settings(home)
        open_store(settings.store, create=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise SettingsError(
            f"{error.filename} is a file; a gateway home is a folder, name another path"
        ) from error
    except OSError as error:
        raise SettingsError(
            f"the gateway home {home} cannot be made: {error.strerror} ({error.filename}); "
            "choose a folder you may write to"
        ) from error
    open_catalogue(settings.catalogue.get_secret_value()).close()
    return settings


def _refuse_foreign(home: Path) -> None:
    names = sorted({path.name for path in home.iterdir()} - _OURS)
    if names and SETTINGS_FILE not in names:
        shown = ", ".join(names[:3]) + ("…" if len(names) > 3 else "")  # noqa: PLR2004
        raise SettingsError(
            f"{home} is not empty ({len(names)} things: {shown}) and is no gateway home; "
            "name a new or an empty folder, e.g. "
            f"`gateway init {home / 'gateway'}`"
        )


def _write_settings(home: Path) -> None:
    """Write the settings file unless it is there; it appears whole or not at all."""
    file = home / SETTINGS_FILE
    if not file.exists():
        part = home / _PART
        part.write_text(TEMPLATE, encoding="utf-8")
        part.replace(file)
