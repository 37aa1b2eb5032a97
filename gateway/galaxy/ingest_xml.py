"""Renders the tool that brings data into the store from Galaxy: by name, not through a history."""

from collections.abc import Mapping
from xml.etree import ElementTree as ET

from gateway.galaxy.formats import INGESTED
from gateway.galaxy.render import FORMAT_DOI, PROFILE
from gateway.service.jobs.ingesting import DTYPES

TOOL = "ingest"
VERSION = "1.0.0"
SUMMARY = "Bring tiles, volumes and tables into the store"
MADE: dict[str, str] = {
    "tiles": "a grid of tiles that overlap",
    "image": "an image",
    "labels": "labels: numbers of objects",
    "points": "a table of points",
}
"""What may come of an ingest, and what people call it."""
_DATASET = r"^([A-Za-z0-9][A-Za-z0-9_\-]*(\.[A-Za-z0-9_\-]+)*)?$"
_HELP = """Bring data into the store of the gateway, and get its name into the history.

What lies in an inbox, a folder that the administrator of the gateway has named, is read there: it
never passes through Galaxy. Name it as ``INBOX/PATH``; what you uploaded in the browser of the
gateway is ``uploads/PATH``. A folder of tiles becomes one grid, a file or a folder of planes one
volume, with all its resolutions.

A dataset of the history is copied into the store, up to the size that the gateway allows. A
*deferred* dataset is not: the OME-Zarr at its address is registered where it lies, if its host is
one of those that the gateway reads from. The same holds for an address.

Images may be TIFF, OME-TIFF, NIfTI, NRRD, NumPy, HDF5 or OME-Zarr; tables CSV or tabular with the
columns ``z_um``, ``y_um`` and ``x_um``.
"""


def render_ingest() -> str:
    """Return the XML of the tool, the same for every gateway."""
    root = ET.Element("tool", id=f"gateway_{TOOL}", name="Ingest", version=VERSION, profile=PROFILE)
    ET.SubElement(root, "description").text = SUMMARY
    operations = ET.SubElement(root, "edam_operations")
    ET.SubElement(operations, "edam_operation").text = "operation_3434"
    command = ET.SubElement(root, "command", detect_errors="exit_code")
    command.text = (
        f"gateway-galaxy ingest --version {VERSION} --form '$form' --user '$__user_email__'"
    )
    config = ET.SubElement(root, "configfiles")
    style = "staging_path_and_source_path"
    ET.SubElement(config, "inputs", name="form", filename="form.json", data_style=style)
    _inputs(ET.SubElement(root, "inputs"))
    _output(ET.SubElement(root, "outputs"))
    _test(ET.SubElement(root, "tests"))
    ET.SubElement(root, "help").text = _HELP
    citations = ET.SubElement(root, "citations")
    ET.SubElement(citations, "citation", type="doi").text = FORMAT_DOI
    ET.indent(root, space="    ")
    return ET.tostring(root, encoding="unicode") + "\n"


def _inputs(inputs: ET.Element) -> None:
    source = ET.SubElement(inputs, "conditional", name="source")
    places = {
        "inbox": "an inbox of the gateway",
        "history": "this history",
        "address": "a web address",
    }
    _select(source, "from", "Take it from", places)
    inbox = ET.SubElement(source, "when", value="inbox")
    _text(inbox, "place", "File or folder", "INBOX/PATH, such as microscope/mouse1/tiles.")
    history = ET.SubElement(source, "when", value="history")
    attributes = {"name": "file", "type": "data", "format": ",".join(INGESTED)}
    attributes |= {"allow_uri_if_protocol": "http,https", "label": "Dataset"}
    told = "Copied into the store; a deferred one is registered at its address instead."
    ET.SubElement(history, "param", attributes | {"help": told})
    address = ET.SubElement(source, "when", value="address")
    told = "Of an OME-Zarr volume, which stays where it is: https://HOST/PATH.ome.zarr."
    _text(address, "url", "Address", told)
    _select(inputs, "what", "What it is", MADE)
    _text(
        inputs,
        "voxel_um",
        "Voxel size",
        "z, y, x in micrometres, such as 5,2,2; empty where the files say it.",
        optional=True,
    )
    _more(inputs)
    save = ET.SubElement(inputs, "section", name="save", title="Results", expanded="true")
    told = "Name of the dataset of the store that it goes into; empty takes the source's own name."
    _text(save, "dataset", "Dataset", told, pattern=_DATASET, optional=True)
    told = "What to call it there; empty takes raw, labels, tiles or points."
    _text(save, "name", "Name", told, pattern=_DATASET, optional=True)


def _more(inputs: ET.Element) -> None:
    more = ET.SubElement(inputs, "section", name="more", title="Details", expanded="false")
    _text(more, "channel_names", "Names of the channels", "Separated by commas.", optional=True)
    told = "Convert to this type, checking every value; empty keeps that of the files."
    attributes = {"name": "as_dtype", "type": "select", "optional": "true"}
    select = ET.SubElement(more, "param", attributes | {"label": "Data type", "help": told})
    for name in DTYPES:
        ET.SubElement(select, "option", value=name).text = name
    told = (
        "Share of a tile that its neighbour covers, such as 10%, to place tiles by their names; "
        "empty where a positions.csv in the folder or the files themselves say it."
    )
    _text(more, "overlap", "Overlap of tiles", told, optional=True)
    told = "Rows and columns, such as 4,3, where the names of the tiles only count them."
    _text(more, "grid", "Grid of tiles", told, optional=True)
    orders = {"raster": "each row from the same side", "snake": "every second row backwards"}
    _select(more, "order", "Order of tiles", orders)
    told = "Leave the files where they are and read them there; they must not change any more."
    attributes = {"name": "in_place", "type": "boolean", "checked": "false"}
    ET.SubElement(more, "param", attributes | {"label": "Register in place", "help": told})


def _output(outputs: ET.Element) -> None:
    first, *others = MADE
    attributes = {"name": "made", "label": "Ingested ${what}", "format": f"volref_{first}"}
    data = ET.SubElement(outputs, "data", attributes | {"from_work_dir": "made.volref"})
    change = ET.SubElement(data, "change_format")
    for kind in others:
        ET.SubElement(change, "when", input="what", value=kind, format=f"volref_{kind}")


def _test(tests: ET.Element) -> None:
    test = ET.SubElement(tests, "test", expect_num_outputs="1")
    source = ET.SubElement(test, "conditional", name="source")
    ET.SubElement(source, "param", name="from", value="history")
    ET.SubElement(source, "param", name="file", value="two_blobs.tif", ftype="tiff")
    ET.SubElement(test, "param", name="what", value="image")
    ET.SubElement(test, "param", name="voxel_um", value="5,2.5,2.5")
    save = ET.SubElement(test, "section", name="save")
    ET.SubElement(save, "param", name="dataset", value="ingest-test")
    output = ET.SubElement(test, "output", name="made", ftype="volref_image")
    contents = ET.SubElement(output, "assert_contents")
    ET.SubElement(contents, "has_text", text='"ref": "ingest-test/raw"')


def _select(parent: ET.Element, name: str, label: str, options: Mapping[str, str]) -> None:
    select = ET.SubElement(parent, "param", name=name, type="select", label=label)
    for number, (value, title) in enumerate(options.items()):
        mark = {} if number else {"selected": "true"}
        ET.SubElement(select, "option", {"value": value, **mark}).text = title


def _text(
    parent: ET.Element,
    name: str,
    label: str,
    told: str,
    *,
    pattern: str | None = None,
    optional: bool = False,
) -> None:
    attributes = {"name": name, "type": "text", "label": label, "help": told}
    node = ET.SubElement(parent, "param", attributes | ({"optional": "true"} if optional else {}))
    if not optional:
        ET.SubElement(node, "validator", type="empty_field", message="Fill this in.")
    if pattern is not None:
        said = "Letters, digits, '_', '-' and single dots."
        ET.SubElement(node, "validator", type="regex", message=said).text = pattern
