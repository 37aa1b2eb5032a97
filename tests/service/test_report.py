import re
from html.parser import HTMLParser

import numpy as np

from gateway.algo.pictures import draw_image
from gateway.service.charts import draw_histogram
from gateway.service.report import Chart, Digest, Fact, Picture, Report, Step, write_report


def make_report(**changes):
    png = draw_image(np.eye(20), window=(0, 1), width=40)
    picture = Picture(title="Every nucleus", caption="drawn <here>", png=png)
    content = {
        "title": "A brain",
        "lead": "Six tiles.",
        "licence": "CC0-1.0",
        "facts": [Fact(value="12", label="nuclei", good=True), Fact(value="3", label="tiles")],
        "pictures": [picture],
        "seams": [picture, picture],
        "charts": [Chart(title="Diameter", svg=draw_histogram(np.arange(9.0), unit="µm"))],
        "steps": [
            Step(name="stitch", what="6 tiles", wall_s=1.25),
            Step(name="detect", what="", wall_s=2.0, earlier=True),
        ],
        "digests": [Digest(ref="m/a", kind="image", what="1 x 2", digest="blake3:00")],
        "commands": ["gateway ls"],
    }
    return Report(**{**content, **changes})


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.links = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)
        self.links += [value for name, value in attrs if name in {"src", "href"}]

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_holds_everything_it_shows(tmp_path):
    file = tmp_path / "new" / "report.html"
    write_report(make_report(), file)
    page = file.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.links
    assert all(link.startswith("data:image/png;base64,") for link in tags.links)
    assert not re.search(r"https?://", page)
    assert [path.name for path in file.parent.iterdir()] == ["report.html"]


def test_text_is_escaped_and_a_step_of_an_earlier_run_says_so(tmp_path):
    file = tmp_path / "report.html"
    write_report(make_report(title="<script>"), file)
    page = file.read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "drawn &lt;here&gt;" in page
    assert "2.0 (earlier)" in page


def test_an_empty_report_is_a_page_too(tmp_path):
    file = tmp_path / "report.html"
    bare = {"pictures": (), "seams": (), "charts": (), "steps": (), "digests": (), "commands": ()}
    write_report(make_report(**bare), file)
    assert "What it cost" not in file.read_text(encoding="utf-8")


def test_the_page_suits_dark_rooms_and_phones(tmp_path):
    file = tmp_path / "report.html"
    write_report(make_report(), file)
    page = file.read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page
