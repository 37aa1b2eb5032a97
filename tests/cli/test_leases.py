"""`gateway leases` shows who holds what, and takes it back."""

import json

from gateway.service.gateway import open_gateway
from gateway.service.leases.inventory import find_devices
from gateway.service.leases.ledger import ask, set_devices
from gateway.service.leases.model import Holder


def test_a_lease_is_listed_and_revoked(home, shell, monkeypatch):
    monkeypatch.setenv("GATEWAY_DEVICES", '["gateway.test/gpu=0"]')
    gateway = open_gateway(home)
    with gateway.catalogue:
        set_devices(gateway, find_devices(gateway))
        held = ask(gateway, "ana", Holder.this_process(), purpose="notebook")
        ask(gateway, "ben", Holder.this_process(), purpose="run")
    listed = shell("leases", "list", "--home", home)
    assert "ana holds gateway.test/gpu=0" in listed.out
    assert "0 of 1 GPUs free, you are first" in listed.out
    monkeypatch.setattr("gateway.service.leases.ending.PATIENCE_S", 0.0)
    shell("leases", "revoke", held.id, "--home", home)
    after = json.loads(shell("leases", "list", "--ended", "1", "--json", "--home", home).out)
    assert [(one["person"], one["status"]) for one in after["leases"]] == [
        ("ben", "held"),
        ("ana", "ended"),
    ]


def test_a_name_that_is_no_device_is_refused(home, shell, monkeypatch):
    monkeypatch.setenv("GATEWAY_DEVICES", '["gpu0"]')
    failed = shell("leases", "list", "--home", home)
    assert failed.code == 2
    assert "'gpu0' is no CDI name; expected VENDOR/CLASS=NAME" in failed.err
