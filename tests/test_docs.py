"""The reference is what the program says, and no link in the docs leads nowhere."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])

pytestmark = pytest.mark.skipif(
    not (ROOT / "docs" / "generate.py").is_file(), reason="the docs are in the checkout only"
)


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["generate"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["generate"]


def test_every_reference_page_is_up_to_date(tmp_path):
    # a process of its own: other tests install tools that are not of this package
    subprocess.run([sys.executable, ROOT / "docs" / "generate.py", tmp_path], check=True)
    pages = {page.name: page.read_text(encoding="utf-8") for page in tmp_path.iterdir()}
    assert set(pages) == {page.name for page in (ROOT / "docs" / "reference").iterdir()}
    for name, text in pages.items():
        written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
        assert written == text, f"docs/reference/{name} is old: run `make docs`"


def test_every_setting_has_its_line(generate):
    assert all(text for _, _, text in generate._described_settings())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"
