"""Renders the lists of tools and of datatypes that Galaxy reads; pure."""

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

from gateway.galaxy.formats import VOLREF_KINDS

_MODULE = "gateway_volref.datatypes"
_CLASSES = {kind: f"{_MODULE}:Volume{kind.capitalize()}" for kind in VOLREF_KINDS}
_TITLES = {
    "image": "Name of an image in the gateway's store",
    "labels": "Name of labels in the gateway's store",
    "points": "Name of a table of points in the gateway's store",
    "transform": "Name of a transform in the gateway's store",
    "tiles": "Name of a grid of tiles in the gateway's store",
}
DISPLAY_FILE = "gateway_display.xml"


def render_tool_conf(tools: Iterable[Path], upload: Path) -> str:
    """Return `tool_conf.xml`.

    Args:
        tools: The XML of the gateway's tools.
        upload: Galaxy's own tool for pasted text, which its clients ask for.
    """
    root = ET.Element("toolbox", monitor="false")
    data = ET.SubElement(root, "section", id="getext", name="Get data")
    ET.SubElement(data, "tool", file=str(upload))
    brain = ET.SubElement(root, "section", id="brain", name="Brain images")
    for path in sorted(tools):
        ET.SubElement(brain, "tool", file=str(path))
    return _text(root)


def render_datatypes(sample: str, display: Path | None) -> str:
    """Return `datatypes_conf.xml`: Galaxy's own list with ours in the first places.

    Args:
        sample: The list that comes with Galaxy.
        display: The file of links that a history shows beside a volref; None shows none.
    """
    root = ET.fromstring(sample)  # noqa: S314 - a file of the Galaxy just installed
    registration, sniffers = root.find("registration"), root.find("sniffers")
    if registration is None or sniffers is None:
        raise ValueError("Galaxy's list of datatypes has no registration, or no sniffers")
    for datatype in registration:
        for link in datatype.findall("display"):
            datatype.remove(link)  # Galaxy's own lead to sites elsewhere
    common = {"mimetype": "application/json", "display_in_upload": "true"}
    for number, (kind, type_) in enumerate(_CLASSES.items()):
        extension = f"volref_{kind}"
        attributes = {"extension": extension, "type": type_, "description": _TITLES[kind]}
        datatype = ET.Element("datatype", attributes | common)
        if display is not None:
            ET.SubElement(datatype, "display", file=str(display))
        registration.insert(number, datatype)
        sniffers.insert(number, ET.Element("sniffer", type=type_))
    return _text(root)


def render_display(base_url: str) -> str:
    """Return the links beside a volref: to the viewer, and to the page of its dataset.

    Args:
        base_url: Where people reach the gateway.
    """
    base = base_url.rstrip("/")
    root = ET.Element("display", id="brain_gateway", version="1.0.0", name="Brain Gateway:")
    dataset = "${qp($dataset.metadata.ref.split('/')[0])}"
    for id_, name, path in (
        ("viewer", "open in viewer", f"/d/{dataset}/view"),
        ("dataset", "dataset page", f"/d/{dataset}"),
    ):
        link = ET.SubElement(root, "link", id=id_, name=name)
        ET.SubElement(link, "url").text = f"{base}{path}"
        ET.SubElement(link, "filter").text = "${bool($dataset.metadata.ref)}"
    return _text(root)


def _text(root: ET.Element) -> str:
    ET.indent(root, space="    ")
    return '<?xml version="1.0"?>\n' + ET.tostring(root, encoding="unicode") + "\n"
