"""The network of the containers: internal, and kept from one another and from this machine."""

import ipaddress
import itertools
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.errors import SettingsError
from gateway.hub.containment import LABEL

_BRIDGE_NAME = "com.docker.network.bridge.name"
_BETWEEN = "com.docker.network.bridge.enable_icc"
_PORTS = Path("/sys/class/net")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineNetwork:
    """A network of the engine on which containers reach this machine and nothing else."""

    name: str
    bridge: str
    """Its interface on this machine."""
    address: str
    """Of this machine on it: where hub and gateway listen for containers."""


def ensure_network(client: Any, name: str, owner: str) -> EngineNetwork:
    """Make the internal network of the containers unless it is there.

    The hub needs its address, so it is made before the hub starts.

    Args:
        client: The engine.
        name: Of the network.
        owner: The gateway home that it belongs to, for its label.

    Raises:
        SettingsError: There is a network of that name from which the world can be reached.
    """
    there = [found for found in client.networks(names=[name]) if found["Name"] == name]
    if not there:
        options = {_BETWEEN: "false"}
        client.create_network(
            name, driver="bridge", internal=True, options=options, labels={LABEL: owner}
        )
    network = client.inspect_network(name)
    if not network.get("Internal"):
        raise SettingsError(
            f"the network {name} of the container engine is not internal: containers on it would "
            f"reach the world; remove it with `docker network rm {name}`, or name another"
        )
    configured = network["IPAM"]["Config"][0]
    address = configured.get("Gateway") or _first_address(configured["Subnet"])
    return EngineNetwork(name=name, bridge=bridge_of(network), address=address.split("/")[0])


def bridge_of(network: dict[str, Any]) -> str:
    """Return the interface of a network on this machine."""
    given = (network.get("Options") or {}).get(_BRIDGE_NAME)
    return str(given or f"br-{network['Id'][:12]}")


def isolate_ports(bridge: str) -> bool:
    """Keep the containers on a bridge from one another; return whether all are.

    A port that is isolated exchanges packets with this machine only. It works beside the engine's
    own rule, which is not in force where the engine may not touch the firewall.
    """
    ports = _PORTS / bridge / "brif"
    if not ports.is_dir():
        return False
    try:
        for port in ports.iterdir():
            (port / "isolated").write_text("1")
    except OSError:
        return False
    return True


def firewall_rules(network: EngineNetwork, open_ports: Sequence[int]) -> list[list[str]]:
    """Return the rules that leave containers no port of this machine but some, in order.

    Args:
        network: Where the containers are.
        open_ports: TCP ports of the hub and the gateway.
    """
    ports = ",".join(str(port) for port in sorted(set(open_ports)))
    inside = ["INPUT", "-i", network.bridge]
    asked = ["-d", network.address, "-m", "multiport", "--dports", ports, "-j", "ACCEPT"]
    return [
        # answers of containers to what this machine asked them
        [*inside, "-p", "tcp", "!", "--syn", "-j", "ACCEPT"],
        [*inside, "-p", "tcp", *asked],
        [*inside, "-j", "REJECT"],
    ]


def close_machine(network: EngineNetwork, open_ports: Sequence[int]) -> str | None:
    """Close this machine to the containers but for some ports; say why where that is not possible.

    What was closed before is closed anew; nothing else of the firewall is touched.
    """
    program = shutil.which("iptables") or shutil.which("iptables", path="/usr/sbin:/sbin")
    rules = firewall_rules(network, open_ports)
    if program is None:
        return "there is no iptables"
    open_machine(network)
    for place, rule in enumerate(rules, start=1):
        chain, *rest = rule
        done = _iptables(program, "-I", chain, str(place), *rest)
        if done.returncode:
            return " ".join(done.stderr.split()) or f"iptables ended with {done.returncode}"
    return None


def open_machine(network: EngineNetwork) -> None:
    """Take back what `close_machine` did."""
    program = shutil.which("iptables") or shutil.which("iptables", path="/usr/sbin:/sbin")
    if program is None:
        return
    listed = _iptables(program, "-S", "INPUT").stdout.splitlines()
    for line in listed:
        words = line.split()
        # the program writes a rule's parts in an order of its own
        of_bridge = ("-i", network.bridge) in itertools.pairwise(words)
        if words[:1] == ["-A"] and of_bridge:
            _iptables(program, "-D", *words[1:])


def _iptables(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [program, "-w", "5", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603


def _first_address(subnet: str) -> str:
    return str(next(ipaddress.ip_network(subnet).hosts()))
