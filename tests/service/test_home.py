"""`init_home` makes a home once, mends it when run again, and touches nothing foreign."""

import os
from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home


def test_a_new_home_can_be_opened(tmp_path: Path) -> None:
    settings = init_home(tmp_path / "deep" / "home")
    gateway = open_gateway(tmp_path / "deep" / "home")
    assert gateway.settings == settings
    assert gateway.store.writable
    assert gateway.catalogue.datasets() == []
    gateway.catalogue.close()


def test_running_it_again_keeps_the_settings_and_restores_what_is_missing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    init_home(home)
    (home / "gateway.toml").write_text('memory = "3GB"')
    (home / "store").rmdir()
    assert init_home(home).memory == 3_000_000_000
    assert (home / "store").is_dir()


def test_a_half_written_home_is_completed(tmp_path: Path) -> None:
    (tmp_path / ".gateway.toml.part").write_text("mem")
    init_home(tmp_path)
    open_gateway(tmp_path).catalogue.close()


def test_a_home_that_lost_its_settings_gets_fresh_ones(tmp_path: Path) -> None:
    init_home(tmp_path)
    (tmp_path / "gateway.toml").unlink()
    init_home(tmp_path)
    open_gateway(tmp_path).catalogue.close()


def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("all of it")
    with pytest.raises(SettingsError, match=r"is not empty \(1 things: thesis.docx\)"):
        init_home(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "home"):
        with pytest.raises(SettingsError, match="is a file; a gateway home is a folder"):
            init_home(path)


def test_a_place_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"cannot be made: .*choose a folder you may write to"):
        init_home(Path("/proc/gateway-home"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SettingsError, match="Permission denied"):
        init_home(tmp_path)
