"""Credentials are found where `aws configure` leaves them."""

from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts

from gateway.errors import StoreError
from gateway.volumes.aws import find_profile, find_region
from gateway.volumes.store import open_store

CREDENTIALS = """
[default]
aws_access_key_id = first
aws_secret_access_key = 100%secret
[lab]
aws_access_key_id = second
aws_secret_access_key = hidden
aws_session_token = token
[role]
role_arn = arn
"""


@pytest.fixture(autouse=True)
def shared_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "credentials").write_text(CREDENTIALS)
    (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n[profile lab]\nregion = x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


def test_the_default_profile_is_taken() -> None:
    profile = find_profile()
    assert profile is not None
    assert profile.keys == {"access_key_id": "first", "secret_access_key": "100%secret"}
    assert find_region() == "eu-west-1"
    assert "secret" not in repr(profile)


def test_a_profile_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "lab")
    profile = find_profile()
    assert profile is not None
    assert list(profile.keys) == ["access_key_id", "secret_access_key", "token"]
    assert find_region() == "x"
    monkeypatch.setenv("AWS_PROFILE", "other")
    with pytest.raises(StoreError, match=r"AWS_PROFILE is 'other', but .* default, lab, role"):
        find_profile()
    monkeypatch.setenv("AWS_PROFILE", "role")
    assert find_profile() is None


def test_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "given")
    monkeypatch.setenv("AWS_REGION", "here")
    assert find_profile() is None
    assert find_region() == "here"


def test_no_files_mean_no_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert find_profile() is None
    assert find_region() == "us-east-1"


def test_a_malformed_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("secret without section")
    with pytest.raises(StoreError, match=r"credentials cannot be read: MissingSectionHeader") as e:
        find_profile()
    assert "secret without" not in str(e.value)


@pytest.mark.s3
def test_objects_and_voxels_are_signed_with_a_profile(
    s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store = open_store(s3_url)
    store.put("m1/x", b"content")
    spec = {"driver": "zarr3", "kvstore": store.kvstore("m1/v")}
    array = ts.open(spec, create=True, dtype=ts.uint8, shape=[3]).result()
    array[...] = np.arange(3, dtype=np.uint8)
    assert store.list("m1").folders == ("v",)
