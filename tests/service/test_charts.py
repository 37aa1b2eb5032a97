import xml.etree.ElementTree as ET

import numpy as np
import pytest

from gateway.service.charts import Node, draw_graph, draw_histogram


def test_a_histogram_is_well_formed_and_names_its_unit():
    svg = draw_histogram(np.random.default_rng(0).normal(12, 2, 500), unit="diameter <µm>")
    root = ET.fromstring(svg)  # noqa: S314 - drawn here
    assert len(root.findall("rect")) == 32
    assert "diameter &lt;µm&gt;" in svg


@pytest.mark.parametrize("values", [[5.0], [5.0, 5.0], [1.0, np.nan, np.inf]])
def test_few_equal_or_odd_values_are_no_error(values):
    ET.fromstring(draw_histogram(np.array(values), unit="x"))  # noqa: S314 - drawn here


def test_nothing_is_said_to_be_nothing():
    assert "nothing to draw" in draw_histogram(np.array([]), unit="x")


def test_a_graph_has_causes_above_effects():
    nodes = [
        Node("tiles", "demo/tiles", "6 tiles", "thing"),
        Node("run", "stitch", "<3 s", "run"),
        Node("brain", "demo/brain", "", "thing"),
    ]
    svg = draw_graph(nodes, [("tiles", "run"), ("run", "brain")])
    root = ET.fromstring(svg)  # noqa: S314 - drawn here
    tops = [float(group.find("rect").get("y")) for group in root.findall("g")]
    assert tops == sorted(tops)
    assert len(set(tops)) == 3
    assert len(root.findall("path")) == 2
    assert "&lt;3 s" in svg


def test_an_empty_graph_is_no_error():
    ET.fromstring(draw_graph([], []))  # noqa: S314 - drawn here
