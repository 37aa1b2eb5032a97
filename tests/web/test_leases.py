"""GPUs in the browser and over HTTP: how it stands, one's own leases, and taking them back."""

import subprocess
import sys
from contextlib import closing

import pytest

from gateway.service.leases.inventory import find_devices
from gateway.service.leases.ledger import ask, find_lease, set_devices
from gateway.service.leases.model import Holder


@pytest.fixture
def lent(serve, monkeypatch):
    """Yield a service that lends two fake GPUs: `ana` holds one, `ben` and `cyn` wait."""
    devices = '["gateway.test/gpu=0", "gateway.test/gpu=1"]'
    monkeypatch.setenv("GATEWAY_DEVICES", devices)
    server = serve(GATEWAY_DEVICES=devices)
    gateway = server.gateway
    set_devices(gateway, find_devices(gateway))
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    holder = Holder.this_process(sleeper.pid)
    held = ask(gateway, "ana", holder, purpose="notebook")
    pair = ask(gateway, "ben", holder, purpose="run", devices=2)
    ask(gateway, "cyn", holder, purpose="run")
    yield server, held, pair
    sleeper.kill()
    sleeper.wait()


def test_people_see_how_it_stands_and_only_what_is_theirs(lent):
    server, held, _pair = lent
    with server.client("ana") as ana, server.client("cyn") as cyn:
        seen = ana.get("/api/leases").raise_for_status().json()
        assert (seen["free"], seen["total"], seen["waiting"]) == (1, 2, 2)
        assert seen["says"] == "1 of 2 GPUs free; 2 wait"
        assert [lease["id"] for lease in seen["leases"]] == [held.id]
        (waiting,) = cyn.get("/api/leases").json()["leases"]
        assert waiting["says"] == "1 of 2 GPUs free, you are second"
        page = cyn.get("/gpus").text
        assert "1 of 2 GPUs free, you are second" in page
        assert "ben" not in page
        assert cyn.delete(f"/api/leases/{held.id}").status_code == 404
    with server.client() as nobody:
        assert nobody.get("/api/leases").status_code == 401


def test_one_takes_back_ones_own_and_what_used_it_is_ended(lent):
    server, held, pair = lent
    with server.client("ben") as ben:
        answer = ben.delete(f"/api/leases/{pair.id}")
        assert answer.json()["reason"] == "taken back by ben"
    with closing(server.browser()) as boss:
        page = boss.get("/monitor").text
        assert "1 of 2 GPUs free" in page
        assert "gateway.test/gpu=0" in page
        answer = boss.post(f"/gpus/{held.id}/end", timeout=120)
        assert answer.headers["location"].endswith("/gpus")
        said = boss.get("/api/audit").text
    assert find_lease(server.gateway, held.id).status == "ended"
    assert "lease taken back" in said
