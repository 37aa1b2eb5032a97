"""What holds a container in, and the words when one does not start: without an engine."""

import pytest
from docker.errors import APIError, DockerException, ImageNotFound

from gateway.errors import CallError, ForbiddenError
from gateway.hub.containment import Limits, Machine, check_limits, create_values, host_values
from gateway.hub.engine_network import EngineNetwork, firewall_rules
from gateway.hub.engine_reasons import ServerStartError, explain_end, explain_start

MACHINE = Machine(memory_bytes=8 * 2**30, cpus=4)


def test_a_container_has_no_rights_and_no_swap():
    values = host_values(Limits(memory_bytes=2**30, processes=99, scratch_bytes=2**20))
    assert values["cap_drop"] == ["ALL"]
    assert values["security_opt"] == ["no-new-privileges:true"]  # seccomp is left to its default
    assert values["read_only"] is True
    assert values["privileged"] is False
    assert values["pids_limit"] == 99
    assert values["memswap_limit"] == 2**30
    assert next(iter(values["tmpfs"].values())).endswith("size=1048576")
    assert "device_requests" not in values
    assert "binds" not in values


def test_lent_devices_are_asked_for_by_their_cdi_names():
    (asked,) = host_values(Limits(), ["gateway.test/gpu=0"])["device_requests"]
    assert asked["Driver"] == "cdi"
    assert asked["DeviceIDs"] == ["gateway.test/gpu=0"]


@pytest.mark.parametrize("user", ["0:0", "root", "1000:0", "0:1000", "", "1000"])
def test_a_container_does_not_run_as_root(user):
    with pytest.raises(CallError, match="containers may not run as"):
        create_values(user, "/home/gateway", {})
    assert create_values("1000:100", "/home/gateway", {})["user"] == "1000:100"


def test_what_the_machine_does_not_have_is_refused():
    check_limits(Limits(memory_bytes=8 * 2**30, cpus=4), MACHINE)
    with pytest.raises(CallError, match="9 GiB of memory were asked for, and this machine has 8"):
        check_limits(Limits(memory_bytes=9 * 2**30), MACHINE)
    with pytest.raises(CallError, match="5 cores were asked for, and this machine has 4"):
        check_limits(Limits(cpus=5), MACHINE)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ImageNotFound("No such image: lab:1"), "not on this machine"),
        (APIError("pull access denied for lab"), "found nowhere"),
        (APIError('Conflict. The container name "/a" is already in use by b'), "has its name"),
        (APIError("CDI device injection failed: unresolvable CDI devices x"), "knows no such GPU"),
        (APIError("network gateway not found"), "network of the containers is gone"),
        (APIError("Minimum memory limit can not be less than 6MB"), "memory asked for"),
        (APIError("exec: x: executable file not found in $PATH"), "none for notebooks"),
        (APIError("write /x: no space left on device"), "disk of the engine is full"),
        (APIError("bind source path does not exist: /x"), "just been moved"),
        (DockerException("Connection refused"), "does not answer"),
        (PermissionError(13, "Permission denied"), "does not answer"),
        (APIError("something new"), "log of the hub"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_the_engines_reason_is_kept_and_explained(error, said):
    made = explain_start(error, "gateway/lab")
    assert said in made.jupyterhub_message
    assert "The engine said:" in str(made)
    assert "gateway/lab" in str(made)


def test_our_own_reasons_are_told_as_they_are():
    assert "may no longer" in str(explain_start(ForbiddenError("ana may no longer sign in"), "i"))
    mine = ServerStartError("told already")
    assert explain_start(mine, "i") is mine


def test_a_server_that_ended_is_told_with_its_last_words():
    assert "code 3" in str(explain_end({"ExitCode": 3}, "no module\nlab", None))
    assert "no module lab" in str(explain_end({"ExitCode": 3}, "no module\nlab", None))
    assert "said nothing" in str(explain_end({"ExitCode": 1}, "", None))
    assert "memory of 64 MiB" in str(explain_end({"OOMKilled": True}, "", 64 * 2**20))


def test_the_firewall_opens_two_ports_and_refuses_the_rest():
    network = EngineNetwork(name="n", bridge="br-1", address="172.20.0.1")
    answers, asked, rest = firewall_rules(network, [8081, 8701])
    assert all(rule[:3] == ["INPUT", "-i", "br-1"] for rule in (answers, asked, rest))
    assert asked[3:] == [
        *("-p", "tcp", "-d", "172.20.0.1", "-m", "multiport", "--dports", "8081,8701"),
        *("-j", "ACCEPT"),
    ]
    assert "--syn" in answers
    assert rest[-2:] == ["-j", "REJECT"]
