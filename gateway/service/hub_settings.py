"""The settings of JupyterHub as the front door, and of the web service behind it."""

from typing import Annotated, Literal

from pydantic import ByteSize, Field, SecretStr
from pydantic_settings import BaseSettings

SpawnerName = Literal["auto", "local", "docker", "kube", "slurm"]
SignInName = Literal["shared", "accounts", "github", "orcid", "cilogon", "oidc", "lti"]
_SAFE_URL = r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])([:/]|$))"


class HubSettings(BaseSettings):
    """What one may choose of `gateway up`; part of the settings of a gateway."""

    hub_port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """The one public port of `gateway up`, on the address of the setting `host`; 0 takes a free
    one."""
    hub_spawner: SpawnerName = "auto"
    """Where notebook servers start: `local` processes, `docker` containers, `kube` pods, `slurm`
    jobs; `auto` takes containers where an engine answers, else local processes."""
    hub_sign_in: SignInName = "shared"
    """How people sign in to the hub: a `shared` password made at the first start, native
    `accounts`, `github`, `orcid`, `cilogon`, another `oidc` server, or `lti` from a course."""
    hub_administrators: tuple[str, ...] = ()
    """Names of those who administer the hub and the gateway; who started it always does where the
    password is shared."""
    hub_allowed: tuple[str, ...] = ()
    """Who else may sign in to the hub: names, `group:NAME`, or `*` for all whom the sign-in vouches
    for. Unset, that is everybody who knows a shared password, and nobody in any other way."""
    hub_people_trust_one_another: bool = False
    """Whether people other than the one who started the gateway may sign in where notebook servers
    are local processes, which all run under one account and can read each other's files."""
    hub_client_id: str | None = None
    """Name of the hub at GitHub, ORCID, CILogon, another OpenID server or the course platform."""
    hub_client_secret: SecretStr | None = None
    """Its secret there."""
    hub_authorize_url: str | None = Field(default=None, pattern=_SAFE_URL)
    """Where an `oidc` server or the course platform asks people to sign in."""
    hub_token_url: str | None = Field(default=None, pattern=_SAFE_URL)
    """Where an `oidc` server exchanges codes for tokens."""
    hub_userinfo_url: str | None = Field(default=None, pattern=_SAFE_URL)
    """Where an `oidc` server says who somebody is."""
    hub_username_claim: str | None = None
    """Which claim is the name of a person; unset takes the usual one of the sign-in chosen."""
    hub_groups_claim: str | None = None
    """Which claim of an `oidc` server lists a person's groups."""
    hub_institutes: tuple[str, ...] = ()
    """Entity ids of the institutes whose people CILogon may vouch for:
    `https://idp.example.org/shibboleth`."""
    hub_lti_issuer: str | None = Field(default=None, pattern=_SAFE_URL)
    """Address by which the course platform names itself (LTI 1.3)."""
    hub_lti_keys_url: str | None = Field(default=None, pattern=_SAFE_URL)
    """Where the course platform publishes its keys (LTI 1.3)."""
    hub_images: tuple[str, ...] = ()
    """Container images that people may choose from, `NAME=IMAGE` or `IMAGE`; empty offers the
    `lab` image of this gateway."""
    hub_inner_host: str | None = Field(default=None, min_length=1)
    """Name by which notebook servers on other machines (`kube`, `slurm`) reach this one; unset
    takes the name of the machine."""
    hub_cluster_gpu: str | None = Field(default=None, min_length=1)
    """What a GPU is called at the cluster: `nvidia.com/gpu` of Kubernetes, `gpu` of Slurm; unset
    offers none there."""
    hub_slurm_partition: str | None = Field(default=None, min_length=1)
    """Partition of Slurm in which notebook servers run."""
    hub_slurm_hours: Annotated[int, Field(ge=1, le=720)] = 8
    """Longest life of a notebook server on Slurm."""
    hub_namespace: str = Field(default="default", pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    """Namespace of Kubernetes in which notebook servers run."""
    hub_disk: ByteSize = Field(default=ByteSize(10_000_000_000), ge=1_000_000)
    """Disk of a person's home. Kubernetes gives each home a volume of this size; a container engine
    holds a home to it where it keeps its files on XFS with project quotas, and the hub's log says
    where it cannot."""
    hub_memory: ByteSize | None = Field(default=None, ge=256_000_000)
    """Memory of the largest notebook server; unset means half of the machine's."""
    hub_cores: Annotated[float, Field(gt=0)] | None = None
    """Processor cores of the largest notebook server; unset means all of the machine's."""
    hub_processes: Annotated[int, Field(ge=16)] = 1024
    """Most processes and threads of one notebook server in a container."""
    hub_network: str = Field(default="gateway", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$")
    """Name of the engine's internal network that notebook servers in containers are on; it is made
    where there is none."""
    hub_idle_minutes: Annotated[float, Field(ge=0)] = 60
    """Minutes without activity after which a notebook server is stopped; 0 never stops one."""
    hub_servers_per_person: Annotated[int, Field(ge=0, le=100)] = 3
    """Named notebook servers a person may have beside the usual one."""
    hub_start_seconds: Annotated[int, Field(ge=10, le=3600)] = 120
    """Seconds in which a notebook server must answer."""
    hub_proxy: str = Field(default="configurable-http-proxy", min_length=1)
    """The program `configurable-http-proxy`, if it is neither on the path nor installed by
    `make install`."""
    hub_extra_config: str | None = None
    """A Python file of JupyterHub configuration that is read last, for what no setting says."""
    hub_api_url: str | None = Field(default=None, pattern=r"^https?://[^/]+/.*api$")
    """Where the hub's API is, `http://127.0.0.1:8081/hub/api`, for a web service behind a hub;
    `gateway up` sets it. People then sign in through the hub alone."""
    hub_api_token: SecretStr | None = None
    """Token of the web service at the hub's API; `gateway up` sets it."""
    hub_url: str | None = Field(default=None, pattern=r"^(https?://[^/]+)?/.*/$")
    """Where people find the hub, `/hub/`, for a web service behind it; `gateway up` sets it."""
    hub_check_seconds: Annotated[float, Field(ge=0, le=600)] = 10.0
    """How often the hub is asked whether a sign-in through it still holds."""
