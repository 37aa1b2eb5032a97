"""Tools in the browser: the list, the form, the plan, and from the form to the end of the run."""

import re
from contextlib import closing
from html import unescape

import numpy as np
import pytest

from gateway.service.access.actor import Role
from gateway.service.ingest import IngestOptions, ingest
from gateway.volumes.ref import parse_ref


@pytest.fixture
def brain(server):
    voxels = np.random.default_rng(3).integers(0, 4000, (24, 40, 48)).astype(np.uint16)
    source = server.gateway.home.parent / "raw.npy"
    np.save(source, voxels)
    options = IngestOptions(voxel_um=(1.0, 1.0, 1.0))
    for dataset in ("brain", "secret"):
        ingest(server.gateway, source, parse_ref(f"{dataset}/raw"), options)
    return server


def error_of(text: str, field: str) -> str:
    found = re.search(rf'<p class="error" id="{re.escape(field)}-error">(.*?)</p>', text, re.DOTALL)
    return unescape(found.group(1)) if found else ""


FORM = {
    "in.image": "brain/raw",
    "out.nuclei": "brain/nuclei",
    "out.labels": "",
    "set.diameter_um": "6",
    "set.sensitivity": "1",
    "set.channel": "0",
    "how.workers": "",
}


def test_tools_are_searched_and_those_that_write_files_are_left_out(server) -> None:
    with closing(server.browser()) as boss:
        text = boss.get("/tools").text
        assert "Detect nuclei" in text
        assert "/tools/export" not in text
        assert "Smooth gaussian" not in boss.get("/tools", params={"q": "NUCLEI bright"}).text
        assert "No tool has these words" in boss.get("/tools", params={"q": "telescope"}).text
        assert boss.get("/tools/export").status_code == 404
        assert boss.get("/tools/ingest_volume").status_code == 404
        names = [tool["id"] for tool in boss.get("/api/tools", params={"q": "nuclei"}).json()]
        assert names == ["detect_nuclei"]
        assert boss.get("/api/tools/detect_nuclei").json()["params"]["required"] == ["diameter_um"]


def test_a_form_offers_what_suits_and_may_be_seen(brain) -> None:
    with brain.client("ana", brain=Role.VIEWER) as ana:
        text = ana.get("/tools/detect_nuclei", params={"in.image": "brain/raw"}).text
        assert '<option value="brain/raw">' in text
        assert "secret/raw" not in text
        assert 'name="out.nuclei" value="brain/nuclei"' in text, "an output is suggested"
        number = re.search(r'<input type="number" id="set.sensitivity"[^>]*>', text)
        assert number is not None
        for part in ('min="0.1"', 'max="10"', 'value="1"'):
            assert part in number.group()
        assert "Diameter <span" in text
        assert "(µm)" in text
        url = "/api/tools/detect_nuclei/choices/image"
        assert ana.get(url, params={"q": "bra raw"}).json() == ["brain/raw"]
        assert ana.get(url, params={"q": "secret"}).json() == []
        assert ana.get("/api/tools/detect_nuclei/choices/nothing").status_code == 404


def test_from_the_form_to_the_end_of_the_run(brain) -> None:
    with closing(brain.browser()) as boss:
        plan = boss.post("/tools/detect_nuclei", data={**FORM, "do": "plan"})
        assert plan.status_code == 200
        assert re.search(r"<strong>about [\d.]+\ss</strong>", plan.text), "one block was computed"
        assert "survey" in plan.text
        assert boss.get("/api/jobs").json() == [], "a plan runs nothing"
        began = boss.post("/tools/detect_nuclei", data={**FORM, "do": "run"})
        assert began.status_code == 303
        page = began.headers["location"]
        job = page.rpartition("/")[2]
        with boss.stream("GET", f"/api/jobs/{job}/events", timeout=90) as events:
            assert "event: end" in "".join(events.iter_text())
        text = boss.get(page).text
        assert '<a href="/d/brain">brain/nuclei</a>' in text
        assert "Done in" in text
        assert "Cancel</button>" not in text
        assert f"/tools/detect_nuclei?again={job}" in text
        again = boss.get("/tools/detect_nuclei", params={"again": job}).text
        assert 'name="set.diameter_um" value="6.0"' in again
        same = boss.post("/tools/detect_nuclei", data={**FORM, "do": "plan"})
        assert "This very call was run before" in same.text
        run = boss.get(f"/api/jobs/{job}").json()["run"]
        record = boss.get(f"/runs/{run}").text
        assert "brain/nuclei" in record
        assert f"/tools/detect_nuclei?again={run}" in record
        listed = boss.get("/runs", params={"tool": "detect_nuclei", "status": "done"}).text
        assert f"/runs/{job}" in listed
        assert f"/runs/{job}" not in boss.get("/runs", params={"status": "failed"}).text
    with brain.client("eve") as eve:
        assert eve.get(page).status_code == 403
        assert eve.get(f"/runs/{run}").status_code == 403
        assert eve.get("/tools/detect_nuclei", params={"again": job}).status_code == 403
        assert f"/runs/{job}" not in eve.get("/runs").text
    with brain.client("ana", brain=Role.VIEWER) as ana:
        assert ana.get(f"/runs/{run}").status_code == 200, "the run of a dataset one may see"


WRONG = [
    ({"set.diameter_um": ""}, "set.diameter_um", "is needed"),
    ({"set.diameter_um": "-3"}, "set.diameter_um", "greater than 0"),
    ({"set.diameter_um": "wide"}, "set.diameter_um", "valid number"),
    ({"set.sensitivity": "11"}, "set.sensitivity", "<= 10"),
    ({"in.image": ""}, "in.image", "choose an image"),
    ({"in.image": "brain/none"}, "in.image", "there is no brain/none"),
    ({"in.image": "brain"}, "in.image", "has 1 part(s)"),
    ({"in.image": "<b>x/y"}, "in.image", "not allowed"),
    ({"out.nuclei": ""}, "out.nuclei", "name points"),
    ({"out.nuclei": "brain/raw"}, "", "both 'brain/raw'"),
    ({"out.labels": "brain/raw2", "out.nuclei": "brain/raw2"}, "", "both 'brain/raw2'"),
    ({"out.nuclei": "secret/raw"}, "out.nuclei", "already exists"),
    ({"how.workers": "many"}, "how.workers", "whole number"),
    ({"set.channel": "7"}, "", "channel"),
]


def test_what_is_wrong_stands_beside_its_field(brain, subtests) -> None:
    with closing(brain.browser()) as boss:
        for change, field, words in WRONG:
            for do in ("plan", "run"):
                with subtests.test(change=change, do=do):
                    refuse_form(boss, {**FORM, **change, "do": do}, change, field, words)
        assert boss.get("/api/jobs").json() == []


def refuse_form(boss, form, change, field, words) -> None:
    answer = boss.post("/tools/detect_nuclei", data=form)
    assert answer.status_code == 422, answer.text
    assert "<b>x" not in answer.text
    text = error_of(answer.text, field) if field else unescape(answer.text)
    assert words in text
    for value in change.values():
        if value and "<" not in value:
            assert f'value="{value}"' in answer.text, "what was typed stays"


def test_a_form_of_a_person_without_rights_is_refused_beside_the_field(brain) -> None:
    with brain.client("ana", brain=Role.VIEWER) as ana:
        text = ana.post("/tools/detect_nuclei", data={**FORM, "in.image": "secret/raw"}).text
        assert "ana has no role on secret/raw" in error_of(text, "in.image")
        assert "needs editor" in error_of(text, "out.nuclei")
        assert "dataset of your own" in error_of(text, "out.nuclei")
        ours = ana.post("/tools/detect_nuclei", data={**FORM, "out.nuclei": "anas/nuclei"})
        assert "of which you will be the owner" in ours.text


def test_plans_tell_what_a_call_would_do(brain) -> None:
    call = {
        "tool": "smooth_gaussian",
        "inputs": {"image": "brain/raw"},
        "outputs": {"image": "mine/soft"},
        "params": {"sigma_um": 2},
    }
    with brain.client("ana", brain=Role.VIEWER) as ana:
        plan = ana.post("/api/plans", json=call).raise_for_status().json()
        assert plan["new_datasets"] == ["mine"]
        assert plan["tasks"] >= 1
        assert plan["memory_bytes"] <= plan["memory_limit"]
        assert plan["estimate"]["seconds"] > 0
        assert [item["name"] for item in plan["estimate"]["passes"]] == [plan["passes"][0]["name"]]
        assert plan["estimate"]["unmeasured"] == []
        assert str(brain.gateway.home) not in str(plan)
        quick = ana.post("/api/plans", json=call, params={"pilot": False}).json()
        assert quick["estimate"] is None
        huge = ana.post("/api/plans", json={**call, "block_voxels": [9999, 9999, 9999]})
        assert huge.status_code == 200
        assert ana.get("/api/datasets").status_code == 200
    assert not brain.gateway.store.exists("mine"), "a plan makes nothing"
