"""Settings are read once; a wrong one is named with its value, its place and what was expected."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.errors import SettingsError
from gateway.service.home import TEMPLATE
from gateway.service.settings import Settings, find_home, read_settings


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*Settings.model_fields, "home"):
        monkeypatch.delenv(f"GATEWAY_{name.upper()}", raising=False)


def write(home: Path, content: str) -> Path:
    (home / "gateway.toml").write_text(content)
    return home


def test_an_empty_file_gives_the_defaults_inside_the_home(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, ""))
    assert settings.store == str(tmp_path / "store")
    assert settings.catalogue.get_secret_value() == f"sqlite:///{tmp_path / 'catalogue.sqlite'}"
    assert settings.memory == 2_000_000_000
    assert settings.workers is None


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_MEMORY", "8GiB")
    settings = read_settings(write(tmp_path, 'memory = "4GB"\nworkers = 3'))
    assert settings.memory == 8 * 2**30
    assert settings.workers == 3


def test_urls_are_kept_as_they_are(tmp_path: Path) -> None:
    settings = read_settings(
        write(tmp_path, 'store = "s3://lab/brains"\ncatalogue = "postgresql://u:hunter2@h/d"')
    )
    assert settings.store == "s3://lab/brains"
    assert settings.catalogue.get_secret_value() == "postgresql://u:hunter2@h/d"
    assert "hunter2" not in repr(settings)


def test_settings_cannot_be_changed_once_read(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, ""))
    with pytest.raises(ValidationError, match="frozen"):
        settings.workers = 4


def test_every_setting_is_in_the_file_that_init_writes() -> None:
    for name in Settings.model_fields:
        assert f"{name} = " in TEMPLATE


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("memory = ", r"gateway\.toml is not valid TOML: Invalid value .*gateway init"),
        ('memroy = "2GB"', r"unknown setting 'memroy'; did you mean 'memory'\?"),
        ("[xyz]", "unknown setting 'xyz'; there are allowed_origins, "),
        ('memory = "lots"', "setting memory = 'lots' .*could not parse value and unit"),
        ('memory = "1MB"', "setting memory = '1MB' .*greater than or equal to 256000000"),
        ("workers = 0", "setting workers = 0 .*greater than or equal to 1"),
        ('store = ""', "setting store = '' .*at least 1 character"),
        ('catalogue = "nowhere"', "setting catalogue is not a database URL; expected sqlite"),
        ('person_orcid = "12"', "setting person_orcid = '12' .*has the form 0000-"),
        ('person_orcid = "0000-0002-1825-0096"', "check digit of this ORCID iD is wrong"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_settings(write(tmp_path, content))


def test_a_wrong_setting_of_the_environment_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_WORKERS", "many")
    with pytest.raises(SettingsError, match="environment variable GATEWAY_WORKERS"):
        read_settings(write(tmp_path, ""))


@pytest.mark.parametrize(
    ("wrong", "right"), [("MEMROY", "MEMORY"), ("CATALOG", "CATALOGUE"), ("WORKER", "WORKERS")]
)
def test_a_misspelt_variable_is_not_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str, right: str
) -> None:
    monkeypatch.setenv(f"GATEWAY_{wrong}", "1")
    with pytest.raises(SettingsError, match=f"GATEWAY_{wrong} is no setting; .* GATEWAY_{right}"):
        read_settings(write(tmp_path, ""))


def test_variables_of_other_purposes_are_let_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TEST_DATA", "TEST_POSTGRES", "REQUIRE", "HOME", "STORES_IN_THE_NORTH"):
        monkeypatch.setenv(f"GATEWAY_{name}", "x")
    read_settings(write(tmp_path, ""))


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="is not valid TOML"):
        read_settings(tmp_path)


def test_an_orcid_may_be_given_as_its_address(tmp_path: Path) -> None:
    home = write(tmp_path, 'person_orcid = "https://orcid.org/0000-0002-1694-233X"')
    assert read_settings(home).person_orcid == "0000-0002-1694-233X"


def test_no_home_says_how_to_make_one() -> None:
    with pytest.raises(SettingsError, match="make one with `gateway init HOME`"):
        find_home()


def test_a_folder_that_is_no_home_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"is no gateway home: it has no gateway\.toml"):
        find_home(tmp_path)
    with pytest.raises(SettingsError, match="is no gateway home: it does not exist"):
        find_home(tmp_path / "nowhere")


def test_the_variable_names_the_home_unless_one_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, "")
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path / "one"))
    assert find_home() == tmp_path / "one"
    assert find_home(tmp_path / "two") == tmp_path / "two"
