import pytest

from gateway.service import doctor
from gateway.service.doctor import examine
from gateway.service.home import init_home


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.delenv("GATEWAY_HOME", raising=False)
    monkeypatch.setattr(doctor, "is_online", lambda: False)


def states(home=None):
    return {check.name: check for check in examine(home)}


def test_without_a_home_nothing_needed_is_missing(monkeypatch):
    monkeypatch.delenv("GATEWAY_TEST_DATA", raising=False)
    checks = states()
    assert all(check.state != "missing" for check in checks.values())
    assert checks["home"].state == "note"
    assert "gateway init HOME" in checks["home"].detail
    assert checks["network"].state == checks["test data"].state == "note"
    assert checks["python"].state == checks["packages"].state == "ok"


def test_a_sound_home_is_ok_and_stays_clean(tmp_path):
    init_home(tmp_path / "home")
    checks = states(tmp_path / "home")
    assert checks["store"].state == checks["catalogue"].state == "ok"
    assert "writable" in checks["store"].detail
    assert list((tmp_path / "home" / "store").iterdir()) == []


def test_a_home_that_is_none_is_missing(tmp_path):
    check = states(tmp_path / "nowhere")["home"]
    assert check.state == "missing"
    assert "does not exist" in check.detail


def test_a_store_that_is_gone_is_missing(tmp_path):
    init_home(tmp_path / "home")
    (tmp_path / "home" / "store").rmdir()
    (tmp_path / "home" / "store").write_text("a file")
    checks = states(tmp_path / "home")
    assert {checks.get("home").state, getattr(checks.get("store"), "state", "")} & {"missing"}


def test_a_catalogue_that_is_broken_is_missing(tmp_path):
    init_home(tmp_path / "home")
    (tmp_path / "home" / "catalogue.sqlite").write_bytes(b"no database at all" * 99)
    checks = states(tmp_path / "home")
    assert "missing" in {check.state for check in checks.values()}


def test_test_data_that_is_no_folder_is_noted(monkeypatch, tmp_path):
    monkeypatch.setenv("GATEWAY_TEST_DATA", str(tmp_path / "nowhere"))
    assert "is not a folder" in states()["test data"].detail
    monkeypatch.setenv("GATEWAY_TEST_DATA", str(tmp_path))
    assert states()["test data"].state == "ok"


def test_kernels_are_known_to_be_compiled_or_not(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "_algo_folders", lambda: [str(tmp_path)])
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert doctor.kernels().state == "note"
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "pyramid.reduce.nbi").touch()
    assert doctor.kernels().state == "ok"
