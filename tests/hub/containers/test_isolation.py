"""What a container can reach: hub and gateway, nothing else of this machine or beside it."""

import socket
import subprocess
import threading

import pytest

from gateway.hub.engine_network import EngineNetwork, close_machine, open_machine

pytestmark = [pytest.mark.docker, pytest.mark.slow]

REACH = """
import socket
def reach(host, port):
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError as error:
        return type(error).__name__
    return "reached"
print(reach({host!r}, {port}))
"""


@pytest.fixture
def listener():
    """Return the port of a listener on every address of this machine."""
    with socket.create_server(("", 0)) as server:
        server.settimeout(0.2)
        stop = threading.Event()

        def accept():
            while not stop.is_set():
                try:
                    server.accept()[0].close()
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1]
        stop.set()
        thread.join()


def reach(hub, person, host, port):
    return hub.kernel(person).run(REACH.format(host=host, port=port))


def test_the_gateway_answers(hub):
    host, port = hub.gateway_url.removeprefix("http://").split(":")
    assert reach(hub, "ana", host, int(port)) == "reached"


def test_other_services_of_this_machine_do_not_answer(hub, listener):
    socket.create_connection((hub.network.address, listener), timeout=3).close()  # it listens
    assert reach(hub, "ana", hub.network.address, listener) != "reached"


def test_nothing_beyond_the_network_can_be_reached(hub, listener):
    """The listener stands on the bridge of a second network, which a router would lead to."""
    name = f"{hub.prefix}-second"
    hub.engine.create_network(name, driver="bridge", internal=True)
    try:
        config = hub.engine.inspect_network(name)["IPAM"]["Config"][0]
        other = config["Gateway"].split("/")[0]
        socket.create_connection((other, listener), timeout=3).close()
        assert reach(hub, "ana", other, listener) != "reached"
        routes = hub.kernel("ana").run("print(open('/proc/net/route').read())").splitlines()
        assert all(line.split()[1] != "00000000" for line in routes[1:])  # no way out at all
    finally:
        hub.engine.remove_network(name)


def test_people_do_not_reach_the_servers_of_others(hub):
    hub.kernel("ana")
    hub.kernel("ben")
    found = hub.container("ben")["NetworkSettings"]["Networks"][hub.network.name]["IPAddress"]
    socket.create_connection((found, 8888), timeout=3).close()
    assert reach(hub, "ana", found, 8888) != "reached"


def test_names_are_asked_of_nobody(hub):
    code = (
        "import socket\n"
        "try:\n"
        "    socket.getaddrinfo('example.org', 80)\n"
        "except OSError as error:\n"
        "    print(type(error).__name__)"
    )
    assert hub.kernel("ana").run(code) == "gaierror"


def test_the_firewall_is_put_back_whole():
    network = EngineNetwork(name="none", bridge="br-gatewaytest", address="192.0.2.1")
    try:
        assert close_machine(network, [1, 2]) is None
        assert close_machine(network, [3]) is None  # what was closed before is closed anew
        rules = [rule for rule in _input_rules() if network.bridge in rule]
        assert len(rules) == 3
        assert "--dports 3 " in rules[1]
    finally:
        open_machine(network)
    assert not [rule for rule in _input_rules() if network.bridge in rule]


def _input_rules():
    words = ["iptables", "-S", "INPUT"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()
