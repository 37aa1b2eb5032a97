"""The engine of the tests does what the tests of containers stand on."""

import pytest
from container_engine import DEVICES, ContainerEngine, NoEngineError

pytestmark = pytest.mark.docker


def test_a_device_asked_for_by_name_is_in_that_container_alone(
    container_engine: ContainerEngine, base_image: str
) -> None:
    ask = ("run", "--rm", "--network=none")
    script = ("sh", "-c", "echo $FAKE_GPU; ls /dev | grep fake-gpu || true")
    lent = container_engine.docker(*ask, *cdi(DEVICES[1]), base_image, *script)
    assert lent.split() == ["1", "fake-gpu1"]
    assert container_engine.docker(*ask, base_image, *script) == ""
    with pytest.raises(NoEngineError, match=r"gateway\.test/gpu=7"):
        container_engine.docker(*ask, *cdi("gateway.test/gpu=7"), base_image, "true")


def test_containers_of_an_internal_network_meet_and_reach_nothing_else(
    container_engine: ContainerEngine, base_image: str
) -> None:
    name = "images-test-inside"
    container_engine.docker("network", "create", "--internal", name)
    try:
        command = ("sh", "-c", "cat /proc/net/route; cat /proc/net/dev")
        said = container_engine.docker("run", "--rm", f"--network={name}", base_image, *command)
    finally:
        container_engine.docker("network", "rm", name)
    assert "eth0" in said
    routes = [line.split()[1] for line in said.split("Inter-")[0].splitlines()[1:]]
    assert routes, "it is on the network"
    assert "00000000" not in routes, "and no way leads out of it"


def cdi(device: str) -> tuple[str, str]:
    """Return how a client of any age asks for a device by its CDI name."""
    return ("--gpus", f'"driver=cdi","device={device}"')
