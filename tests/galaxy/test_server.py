"""What a Galaxy of our own is told, and how its process begins and ends."""

import os
import stat
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from gateway.errors import RunError, SettingsError
from gateway.galaxy.placement import render_tpv
from gateway.galaxy.server import environment, process
from gateway.galaxy.server.configuration import write_configuration
from gateway.galaxy.server.galaxy_yml import render_galaxy
from gateway.galaxy.server.job_conf import render_jobs
from gateway.galaxy.server.site import Site
from gateway.galaxy.server.toolbox import render_datatypes, render_display
from gateway.run.lent import given_by_slurm
from gateway.service.home import init_home
from gateway.service.settings import read_settings
from gateway.toolkit.registry import get_tool
from gateway.toolkit.spec import Resources

SAMPLE = """<?xml version="1.0"?>
<datatypes>
  <registration><datatype extension="json" type="galaxy.datatypes.text:Json">
    <display file="elsewhere.xml"/></datatype></registration>
  <sniffers><sniffer type="galaxy.datatypes.text:Json"/></sniffers>
</datatypes>
"""
SECRETS = {"id_secret": "one", "admin_key": "two", "proxy_secret": "three"}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Return a Galaxy that is installed as far as its configuration looks."""
    monkeypatch.setenv("GATEWAY_BASE_URL", "https://brains.example.org")
    init_home(tmp_path / "home")
    installed = tmp_path / "environment/lib/python3.11/site-packages/galaxy"
    for name, text in (
        ("config/sample/datatypes_conf.xml.sample", SAMPLE),
        ("tools/bundled/data_source/upload.xml", "<tool/>"),
    ):
        (installed / name).parent.mkdir(parents=True)
        (installed / name).write_text(text)
    return Site(
        home=tmp_path / "home",
        environment=tmp_path / "environment",
        programs=Path("/opt/gateway/bin"),
        settings=read_settings(tmp_path / "home"),
        port=8999,
    )


def hub_site(site, **changes):
    values = {name: getattr(site, name) for name in site.__slots__}
    values |= {"prefix": "/services/galaxy", "behind_hub": True}
    return Site(**(values | changes))


def test_alone_nobody_comes_in_unasked_and_jobs_see_little(site):
    galaxy = yaml.safe_load(render_galaxy(site, **SECRETS))["galaxy"]
    assert galaxy["require_login"] is True
    assert galaxy["allow_user_creation"] is False
    assert galaxy["outputs_to_working_directory"] is True
    assert {resolver["type"] for resolver in galaxy["container_resolvers"]} == {
        "explicit",
        "explicit_singularity",
    }
    assert galaxy["admin_users"] == "admin@gateway.invalid"
    assert galaxy["new_user_dataset_access_role_default_private"] is True
    assert "use_remote_user" not in galaxy
    assert "database_connection" not in galaxy
    assert "fetch_url_allowlist" not in galaxy, "nothing of this machine's own is fetched for users"


def test_behind_the_hub_people_are_whom_the_proxy_says(site):
    galaxy = yaml.safe_load(render_galaxy(hub_site(site), **SECRETS))["galaxy"]
    assert galaxy["use_remote_user"] is True
    assert galaxy["remote_user_secret"] == SECRETS["proxy_secret"]
    assert galaxy["galaxy_url_prefix"] == "/services/galaxy"
    assert galaxy["remote_user_logout_href"] == "/hub/logout"


def test_its_settings_are_the_gateways(site, monkeypatch):
    monkeypatch.setenv("GATEWAY_GALAXY_DATABASE", "postgresql://galaxy:pw@db/galaxy")
    monkeypatch.setenv("GATEWAY_GALAXY_ADMINS", '["ana@lab.example", "bo@lab.example"]')
    changed = hub_site(site, settings=read_settings(site.home))
    galaxy = yaml.safe_load(render_galaxy(changed, **SECRETS))["galaxy"]
    assert galaxy["database_connection"] == "postgresql://galaxy:pw@db/galaxy"
    assert galaxy["admin_users"] == "ana@lab.example,bo@lab.example"


def test_jobs_of_the_gateway_know_its_home_and_those_of_galaxy_do_not(site):
    jobs = yaml.safe_load(render_jobs(site, workers=3))
    execution = jobs["execution"]
    assert execution["default"] == "gateway"
    given = {item["name"]: item["value"] for item in execution["environments"]["gateway"]["env"]}
    assert given["GATEWAY_HOME"] == str(site.home)
    assert given["PATH"].split(":")[0] == "/opt/gateway/bin"
    assert "env" not in execution["environments"]["here"]
    assert {"id": "__DATA_FETCH__", "environment": "here"} in jobs["tools"]
    runner = jobs["runners"][execution["environments"]["gateway"]["runner"]]
    assert runner == {"load": "gateway_volref.runner:VolrefRunner", "workers": 3}
    assert "GATEWAY_GALAXY_DOMAIN" not in given, "people are those of the settings"
    jobs = yaml.safe_load(render_jobs(hub_site(site), workers=1))
    behind = jobs["execution"]["environments"]["gateway"]["env"]
    assert {"name": "GATEWAY_GALAXY_DOMAIN", "value": "gateway.invalid"} in behind


def test_jobs_go_to_slurm_with_what_their_tool_declares(site, monkeypatch):
    for name, value in (("RUNNER", "slurm"), ("SLURM_PARTITION", "brains"), ("SLURM_HOURS", "6")):
        monkeypatch.setenv(f"GATEWAY_GALAXY_{name}", value)
    monkeypatch.setenv("GATEWAY_MEMORY", "8GB")
    there = hub_site(site, settings=read_settings(site.home))
    plain = get_tool("stitch")
    gpu = replace(plain, id="gpu_stitch", resources=Resources(cores=4, gpu=True))
    jobs = yaml.safe_load(render_jobs(there, workers=2, specs=[plain, gpu]))
    assert jobs["runners"]["slurm"]["load"] == "galaxy.jobs.runners.cli:ShellJobRunner"
    chosen = {tool["id"]: tool["environment"] for tool in jobs["tools"]}
    assert chosen["__DATA_FETCH__"] == "here"
    environments = jobs["execution"]["environments"]
    one, four = (environments[chosen[f"gateway_{name}"]] for name in ("stitch", "gpu_stitch"))
    assert (one["job_ncpus"], four["job_ncpus"]) == (plain.resources.cores, 4)
    assert "job_--gres" not in one
    assert four["job_--gres"] == "gpu:1"
    for there in (one, four):
        assert there["job_--mem"] == "9G"
        assert there["job_time"] == "6:00:00"
        assert there["job_partition"] == "brains"
        assert {"name": "GATEWAY_HOME", "value": str(site.home)} in there["env"]


def test_rules_for_tpv_say_what_each_tool_declares():
    plain = get_tool("stitch")
    gpu = replace(plain, id="gpu_stitch", resources=Resources(cores=4, gpu=True))
    tools = yaml.safe_load(render_tpv([plain, gpu]))["tools"]
    assert tools["gateway_gpu_stitch"] == {
        "cores": 4,
        "mem": 3,
        "gpus": 1,
        "scheduling": {"require": ["brain-gateway"]},
    }
    assert tools["gateway_stitch"]["gpus"] == 0
    assert {"gateway_ingest", "gateway_convert_.*"} <= set(tools)


def test_slurms_own_gpus_are_in_no_ledger():
    assert given_by_slurm({"SLURM_JOB_ID": "7", "SLURM_JOB_GPUS": "0"})
    assert given_by_slurm({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "1"})
    assert not given_by_slurm({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": ""})
    assert not given_by_slurm({"CUDA_VISIBLE_DEVICES": "1"})


def test_volrefs_are_sniffed_before_galaxys_own_json():
    root = ET.fromstring(render_datatypes(SAMPLE, Path("/x/display.xml")))  # noqa: S314 - ours
    sniffers = [item.get("type") for item in root.findall("sniffers/sniffer")]
    assert sniffers[0] == "gateway_volref.datatypes:VolumeImage"
    assert sniffers[-1] == "galaxy.datatypes.text:Json"
    datatypes = root.findall("registration/datatype")
    assert [item.get("extension") for item in datatypes[:5]] == [
        f"volref_{kind}" for kind in ("image", "labels", "points", "transform", "tiles")
    ]
    assert datatypes[0].find("display").get("file") == "/x/display.xml"
    assert [item.get("file") for item in root.iter("display")] == ["/x/display.xml"] * 5
    with pytest.raises(ValueError, match="has no registration, or no sniffers"):
        render_datatypes("<datatypes/>", None)


def test_links_lead_to_the_viewer_of_this_gateway_whatever_a_volref_says():
    root = ET.fromstring(render_display("https://brains.example.org/lab/"))  # noqa: S314 - ours
    urls = [link.findtext("url") for link in root.findall("link")]
    assert all(url.startswith("https://brains.example.org/lab/d/${qp(") for url in urls)


def test_behind_the_hub_a_volume_opens_in_a_notebook(site, monkeypatch):
    assert site.hub is None
    monkeypatch.setenv("GATEWAY_BASE_URL", "https://b.example.org/lab/services/gateway")
    behind = hub_site(site, settings=read_settings(site.home))
    assert behind.hub == "https://b.example.org/lab"
    base = behind.settings.base_url
    root = ET.fromstring(render_display(base, behind.hub))  # noqa: S314 - ours
    urls = {link.get("id"): link.findtext("url") for link in root.findall("link")}
    start = "https://b.example.org/lab/hub/user-redirect/gateway/open?ref="
    assert urls["notebook"] == f"{start}${{qp($dataset.metadata.ref)}}"
    assert list(urls) == ["viewer", "notebook", "dataset"]
    alone = ET.fromstring(render_display(base))  # noqa: S314 - ours
    assert [link.get("id") for link in alone.findall("link")] == ["viewer", "dataset"]


def test_all_that_is_written_is_its_owners_alone(site):
    write_configuration(site)
    names = {path.name for path in site.config.iterdir()}
    assert names >= {"galaxy.yml", "job_conf.yml", "tool_conf.xml", "datatypes_conf.xml"}
    for path in site.config.glob("*.yml"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(site.root.stat().st_mode) == 0o700
    tools = ET.parse(site.config / "tool_conf.xml").findall(".//section[@id='brain']/tool")  # noqa: S314 - ours
    assert any(tool.get("file").endswith("stitch/stitch.xml") for tool in tools)
    assert list(site.working.iterdir()) == []


def test_its_secrets_stay_the_same_and_differ(site):
    site.make_folders()
    first = site.secret("one")
    assert site.secret("one") == first
    assert site.secret("two") != first
    assert stat.S_IMODE((site.root / "one.secret").stat().st_mode) == 0o600


def test_a_file_where_galaxy_is_started_is_refused(site):
    site.make_folders()
    (site.working / "notes.txt").touch()
    with pytest.raises(SettingsError, match=r"holds 'notes.txt', but Galaxy shows this folder to"):
        write_configuration(site)


def test_an_environment_that_is_not_whole_is_named(site):
    sample = next(site.environment.rglob("*.sample"))
    sample.unlink()
    with pytest.raises(SettingsError, match="holds no Galaxy that is complete; delete that folder"):
        write_configuration(site)


def test_a_galaxy_that_cannot_be_installed_says_why(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"Galaxy 26\.1 cannot be installed: .* ended with 1"):
        environment.install(tmp_path / "file/below", lambda _: None)


def test_the_environment_is_in_the_cache_unless_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert environment.environment_folder(None) == tmp_path / "brain-gateway/galaxy-26.1"
    assert environment.environment_folder(Path("/opt/galaxy")) == Path("/opt/galaxy")


def test_a_galaxy_that_ends_at_once_shows_the_end_of_its_log(site):
    site.make_folders()
    program = site.environment / "bin/galaxy-web"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho the port is taken >&2\nexit 3\n")
    program.chmod(0o755)
    running = process.start(site)
    with pytest.raises(RunError, match=r"(?s)ended with code 3 while starting.*the port is taken"):
        process.wait_ready(site, running, lambda _: None)
    assert process.find(site) is None
    assert process.stop(site) is False


def test_the_number_of_another_process_is_not_taken_for_galaxys(site):
    site.make_folders()
    site.pid_file.write_text(str(os.getpid()))
    assert process.find(site) is None
