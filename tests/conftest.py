"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real test volumes, or skip."""
    folder = os.environ.get("GATEWAY_TEST_DATA")
    if not folder:
        pytest.skip("GATEWAY_TEST_DATA is not set: the real test volumes are not here")
    path = Path(folder).resolve()
    if not path.is_dir():
        pytest.skip(f"GATEWAY_TEST_DATA={folder} is not a folder")
    return path
