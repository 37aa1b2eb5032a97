"""A job: Galaxy's form in, volrefs out, with the rights of the Galaxy user."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import CallError, ForbiddenError, FormatError, NotFoundError, RefError
from gateway.galaxy.job import actor_of_user, run_job
from gateway.galaxy.publish import write_examples
from gateway.galaxy.volref import MARK, Volref, read_volref
from gateway.service.access.actor import Role
from gateway.service.access.grants import grant, grants_of
from gateway.service.access.people import ensure_person
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.toolkit.registry import get_tool

ANA = "ana@lab.example"


@pytest.fixture
def gateway(tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWAY_GALAXY_DOMAIN", "lab.example")
    init_home(tmp_path / "home")
    opened = open_gateway(tmp_path / "home")
    with opened.catalogue:
        ensure_person(opened, "ana")
        write_examples(opened, tmp_path / "volrefs")
        grant(opened, "examples", "person:ana", Role.VIEWER)
        yield opened


@pytest.fixture
def job(gateway, tmp_path):
    """Run a tool on an example as Galaxy would: `job("two_blobs", user=...)`."""
    work = tmp_path / "work"
    work.mkdir()

    def run(volref="two_blobs", *, tool="smooth_gaussian", user=ANA, version="1.0.0", **form):
        path = tmp_path / "volrefs" / f"{volref}.volref"
        document = {"image": str(path), "sigma_um": "2", "save": {"dataset": "ana-work"}, **form}
        (work / "form.json").write_text(json.dumps(document))
        return run_job(
            gateway, tool, version=version, form=work / "form.json", user=user, folder=work
        )

    return run


def test_the_example_gives_its_digest_and_a_small_file(job, gateway):
    example = get_tool("smooth_gaussian").examples[0]
    (path,) = job(**{key: str(value) for key, value in example.params.items()})
    volref = read_volref(path)
    assert volref.kind == "image"
    assert volref.digest == example.expect["image"]
    assert volref.ref.startswith("ana-work/smooth_gaussian-")
    assert volref.facts["shape"][-3:] == [40, 96, 112]
    assert path.stat().st_size < 1000
    assert grants_of(gateway, "ana-work") == {"person:ana": Role.OWNER}


def test_the_same_form_again_names_the_same_result(job):
    first = read_volref(job()[0])
    assert read_volref(job()[0]) == first
    assert read_volref(job(sigma_um="3")[0]).ref != first.ref


def test_an_output_is_made_only_of_the_input_it_follows(job):
    form = {"factor": {"z": "2", "y": "2", "x": "2"}}
    save = {"dataset": "ana-work", "make_image": "true", "make_labels": "true"}
    made = job(tool="downsample", save=save, labels=None, **form)
    assert [path.name for path in made] == ["image.volref"]


def test_an_export_gives_the_file_itself(job):
    form = {"level": "0", "file_format": ".npy"}
    form |= {name: dict.fromkeys("zyx", "") for name in ("start_voxels", "stop_voxels")}
    (path,) = job(tool="export", save={"dataset": ""}, labels=None, points=None, **form)
    assert path.name == "file"
    assert path.read_bytes().startswith(b"\x93NUMPY")


def test_the_rights_are_those_of_the_user_whatever_the_volref_says(job, gateway):
    ensure_person(gateway, "eve")
    with pytest.raises(ForbiddenError, match=r"eve has no role on examples/two_blobs"):
        job(user="eve@lab.example")
    grant(gateway, "examples", "person:eve", Role.VIEWER)
    job(user="eve@lab.example", save={"dataset": "eve-work"})
    job()
    with pytest.raises(ForbiddenError, match="eve has no role on the dataset ana-work"):
        job(user="eve@lab.example")
    with pytest.raises(ForbiddenError, match="eve is viewer of the dataset examples; this needs"):
        job(user="eve@lab.example", save={"dataset": ""})


@pytest.mark.parametrize("user", ["ana@elsewhere.example", "nobody@lab.example", "ana", "", "@"])
def test_an_address_of_another_domain_is_nobody(gateway, user):
    if user == "ana":
        assert actor_of_user(gateway, user).person == "ana", "a person may be named so"
        return
    with pytest.raises(ForbiddenError, match="is nobody here; sign in to the gateway once"):
        actor_of_user(gateway, user)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("voxels", FormatError, "is no volref: it is no JSON"),
        ("{}", FormatError, f"does not say '{MARK}'"),
        ({"version": 9}, FormatError, "of version 9; this gateway reads version 1"),
        ({"ref": "../etc/passwd"}, RefError, r"has 3 part\(s\); expected DATASET/NAME"),
        ({"ref": "..a/x"}, RefError, "the dataset '..a' in ref '..a/x' is not allowed"),
        ({"ref": 3}, RefError, "names 3; expected DATASET/NAME"),
        ({"ref": "examples/missing"}, NotFoundError, "missing"),
        ({"kind": "points"}, CallError, "'image' takes image, but examples/two_blobs is points"),
        ({"kind": "secret"}, FormatError, "is of kind 'secret'; expected one of image, labels"),
    ],
)
def test_a_forged_volref_is_refused(job, tmp_path, content, error, message):
    good = json.loads((tmp_path / "volrefs" / "two_blobs.volref").read_text())
    text = content if isinstance(content, str) else json.dumps(good | content)
    (tmp_path / "volrefs" / "forged.volref").write_text(text)
    with pytest.raises(error, match=message):
        job("forged")


def test_a_volref_that_lies_about_its_kind_is_found_out(job, tmp_path):
    good = json.loads((tmp_path / "volrefs" / "three_points.volref").read_text())
    (tmp_path / "volrefs" / "liar.volref").write_text(json.dumps(good | {"kind": "image"}))
    with pytest.raises(CallError, match="three_points"):
        job("liar")


def test_data_themselves_are_no_volref(job, tmp_path):
    (tmp_path / "volrefs" / "large.volref").write_bytes(b"{" + b" " * 20_000 + b"}")
    with pytest.raises(FormatError, match="more than 16384 bytes; data themselves are brought in"):
        job("large")
    (tmp_path / "volrefs" / "binary.volref").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FormatError, match="it is no text"):
        job("binary")


def test_a_form_of_another_version_of_the_tool_is_refused(job):
    with pytest.raises(
        CallError, match=r"of smooth_gaussian 0\.9\.0, but 1\.0\.0 is installed; ask"
    ):
        job(version="0.9.0")


def test_a_failing_job_says_why_in_the_first_line_of_stderr(gateway, tmp_path):
    program = Path(sys.executable).with_name("gateway-galaxy")
    (tmp_path / "form.json").write_text("[]")
    words = ["run", "smooth_gaussian", "--version", "1.0.0", "--form", "form.json", "--user", ANA]
    command = [program, *words]
    environment = {"GATEWAY_HOME": str(gateway.home), "PATH": "/usr/bin"}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "the form form.json is no JSON object"


def test_a_volref_reads_back_as_it_was_written():
    volref = Volref(ref="m1/x", kind="image", digest="blake3:00", facts={"shape": [1, 2, 3]})
    assert Volref.from_text(volref.to_text(), "x") == volref
