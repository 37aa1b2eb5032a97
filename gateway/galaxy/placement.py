"""What a job of Galaxy needs of a machine, as the tool declares it; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from gateway.toolkit.spec import ToolSpec

TPV_FILE = "tpv.yml"
_OWN_GB = 1
"""What the small program itself takes, beside the run."""
_GB = 1_000_000_000
_USUAL_BYTES = 2_000_000_000
"""The setting memory, where nobody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Of one job."""

    cores: int
    memory_gb: int
    gpus: int

    @property
    def name(self) -> str:
        """What jobs of these needs are called among Galaxy's environments."""
        return f"gateway_{self.cores}_cores" + ("_gpu" if self.gpus else "")


def needs_of(spec: ToolSpec, memory_bytes: int = _USUAL_BYTES) -> Needs:
    """Return what a job of a tool needs.

    Args:
        spec: The tool.
        memory_bytes: What a run may use: the setting memory.
    """
    gpus = int(spec.resources.gpu)
    return Needs(cores=spec.resources.cores, memory_gb=-(-memory_bytes // _GB) + _OWN_GB, gpus=gpus)


def render_tpv(specs: Iterable[ToolSpec]) -> str:
    """Return rules for Total Perspective Vortex, with which a Galaxy chooses where jobs run.

    Args:
        specs: The tools.
    """
    tools: dict[str, Any] = {}
    for spec in specs:
        needs = needs_of(spec)
        tools[f"gateway_{spec.id}"] = {
            "cores": needs.cores,
            "mem": needs.memory_gb,
            "gpus": needs.gpus,
            # jobs run where the gateway is installed and its home can be read
            "scheduling": {"require": ["brain-gateway"]},
        }
    one = {"cores": 1, "mem": _OWN_GB + 1, "scheduling": {"require": ["brain-gateway"]}}
    tools["gateway_ingest"] = one
    tools["gateway_convert_.*"] = one
    head = "# written from the tools: `make docs`\n"
    text: str = yaml.dump({"tools": tools}, Dumper=_Plain, sort_keys=False)
    return head + text


class _Plain(yaml.SafeDumper):
    """Writes what is the same twice in full."""

    def ignore_aliases(self, data: Any) -> bool:
        """Name nothing."""
        del data
        return True
