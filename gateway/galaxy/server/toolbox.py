"""Renders the lists of tools and of datatypes that Galaxy reads; pure."""

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

from gateway.galaxy.converters import converters
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


def render_datatypes(sample: str, display: Path | None, tools: Path | None = None) -> str:
    """Return `datatypes_conf.xml`: Galaxy's own list with ours in the first places.

    Args:
        sample: The list that comes with Galaxy.
        display: The file of links that a history shows beside a volref; None shows none.
        tools: Folder in which the converters lie; None has none.
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
    if tools is not None:
        _add_converters(registration, tools)
    return _text(root)


def _add_converters(registration: ET.Element, tools: Path) -> None:
    known = {datatype.get("extension"): datatype for datatype in registration}
    for one in converters():
        # a compressed type of Galaxy's is made of the plain one, which then names the converter
        datatype = known.get(one.source)
        if datatype is not None:
            where = {"file": str(tools / one.file), "target_datatype": one.target}
            ET.SubElement(datatype, "converter", where)


def render_display(base_url: str, hub: str | None = None) -> str:
    """Return the links beside a volref: to the viewer, a notebook, and the page of its dataset.

    Args:
        base_url: Where people reach the gateway.
        hub: Where they reach the hub, whose notebook servers open what is looked at; None has none.
    """
    base = base_url.rstrip("/")
    root = ET.Element("display", id="brain_gateway", version="1.0.0", name="Brain Gateway:")
    ref = "$dataset.metadata.ref"
    dataset = f"${{qp({ref}.split('/')[0])}}"
    links = [("viewer", "open in viewer", f"{base}/d/{dataset}/view", f"bool({ref})")]
    if hub is not None:
        opened = f"{hub.rstrip('/')}/hub/user-redirect/gateway/open?ref=${{qp({ref})}}"
        can = "$dataset.metadata.kind in ('image', 'labels', 'points')"
        links.append(("notebook", "open in notebook", opened, can))
    links.append(("dataset", "dataset page", f"{base}/d/{dataset}", f"bool({ref})"))
    for id_, name, url, shown in links:
        link = ET.SubElement(root, "link", id=id_, name=name)
        ET.SubElement(link, "url").text = url
        ET.SubElement(link, "filter").text = f"${{{shown}}}"
    return _text(root)


def _text(root: ET.Element) -> str:
    ET.indent(root, space="    ")
    return '<?xml version="1.0"?>\n' + ET.tostring(root, encoding="unicode") + "\n"
