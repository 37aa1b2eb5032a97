"""Renders the converters between volrefs and small real files, which Galaxy calls by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from gateway.galaxy.render import FORMAT_DOI, PROFILE

FOLDER = "converters"
VERSION = "1.0.0"
COPIED: dict[str, dict[str, str]] = {
    "image": {"tiff": ".tif", "nii1.gz": ".nii.gz", "ome_zarr": ".ome.zarr"},
    "labels": {"tiff": ".tif", "nii1.gz": ".nii.gz", "ome_zarr": ".ome.zarr"},
    "points": {"csv": ".csv", "tabular": ".tsv"},
}
"""Kind to Galaxy's datatypes that a whole thing is copied to, and the end of a file's name."""
TAKEN: dict[str, tuple[str, ...]] = {
    "image": ("tiff", "nii1", "ome_zarr"),
    "points": ("csv", "tabular"),
}
"""Kind to Galaxy's datatypes that become such a thing of the store."""
_OUT = """Copies the whole of what a volref names into the history, where other tools can read it.

Only what is small is copied: the gateway says how large that may be. Copy a box, or a coarser
level, of what is larger with the tool *Export*.
"""
_IN = """Copies a file of the history into the store of the gateway, so that its tools can read it.

Only what is small is copied: the gateway says how large that may be. The tool *Ingest* brings in
what is larger, and asks for what a file does not say, such as the size of its voxels.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converter:
    """One converter."""

    source: str
    """Galaxy's datatype of what is given."""
    target: str
    kind: str
    """Of the thing in the store."""

    @property
    def id(self) -> str:
        """Id of the tool."""
        plain = "_to_".join(name.replace(".", "_") for name in (self.source, self.target))
        return f"gateway_convert_{plain}"

    @property
    def file(self) -> str:
        """Path below `galaxy_tools`."""
        return f"{FOLDER}/{self.id}.xml"

    @property
    def gives_volref(self) -> bool:
        """Whether it copies into the store."""
        return self.target == f"volref_{self.kind}"


def converters() -> Iterator[Converter]:
    """Yield every converter there is."""
    for kind, copied in COPIED.items():
        for target in copied:
            yield Converter(source=f"volref_{kind}", target=target, kind=kind)
    for kind, taken in TAKEN.items():
        for source in taken:
            yield Converter(source=source, target=f"volref_{kind}", kind=kind)


def render_converter(converter: Converter) -> str:
    """Return the XML of a converter."""
    inward = converter.gives_volref
    root = ET.Element(
        "tool",
        id=converter.id,
        name=f"Convert {converter.source} to {converter.target}",
        version=VERSION,
        profile=PROFILE,
    )
    where = "into the gateway's store" if inward else "into the history"
    ET.SubElement(root, "description").text = f"Copy small {converter.kind} {where}"
    operations = ET.SubElement(root, "edam_operations")
    ET.SubElement(operations, "edam_operation").text = "operation_3434"
    command = ET.SubElement(root, "command", detect_errors="exit_code")
    command.text = _command(converter)
    if inward:
        config = ET.SubElement(root, "configfiles")
        style = "staging_path_and_source_path"
        ET.SubElement(config, "inputs", name="form", filename="form.json", data_style=style)
    inputs = ET.SubElement(root, "inputs")
    given = {"name": "input1", "type": "data", "format": converter.source, "label": "Dataset"}
    ET.SubElement(inputs, "param", given)
    outputs = ET.SubElement(root, "outputs")
    made = {"name": "output1", "format": converter.target, "from_work_dir": "made"}
    ET.SubElement(outputs, "data", made)
    _test(ET.SubElement(root, "tests"), converter)
    ET.SubElement(root, "help").text = _IN if inward else _OUT
    citations = ET.SubElement(root, "citations")
    ET.SubElement(citations, "citation", type="doi").text = FORMAT_DOI
    ET.indent(root, space="    ")
    return ET.tostring(root, encoding="unicode") + "\n"


def _command(converter: Converter) -> str:
    user = "--user '$__user_email__'"
    if converter.gives_volref:
        return f"gateway-galaxy take {converter.kind} --form '$form' {user}"
    copy = f"gateway-galaxy copy '$input1' --to {converter.target} {user}"
    if converter.target == "ome_zarr":  # a folder beside the file
        return f"{copy} --folder '$output1.files_path'"
    return copy


_EXAMPLES = {
    "volref_image": "two_blobs.volref",
    "volref_labels": "two_blobs_labels.volref",
    "volref_points": "three_points.volref",
    "tiff": "two_blobs.tif",
    "nii1": "two_blobs.nii",
    "csv": "three_points.csv",
    "tabular": "three_points.tsv",
    "ome_zarr": "two_blobs.ome.zarr.zip",
}
"""What `gateway-galaxy examples` writes."""


def _test(tests: ET.Element, converter: Converter) -> None:
    test = ET.SubElement(tests, "test", expect_num_outputs="1")
    # a folder is no file of test data: its archive is, which Galaxy unpacks
    example = _EXAMPLES[converter.source]
    ET.SubElement(test, "param", name="input1", value=example, ftype=converter.source)
    output = ET.SubElement(test, "output", name="output1", ftype=converter.target)
    contents = ET.SubElement(output, "assert_contents")
    if converter.gives_volref:
        ET.SubElement(contents, "has_text", text='"digest": "blake3:')
    else:
        ET.SubElement(contents, "has_size", min="1")
