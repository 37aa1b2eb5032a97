"""Renders a tool as Galaxy XML. The command line is the same for all: the form is the call."""

import re
from xml.etree import ElementTree as ET

from gateway.galaxy.formats import FILE_FORMATS, datatype
from gateway.service.images import image_name
from gateway.toolkit.fields import Bounds, Field, fields_of, label
from gateway.toolkit.spec import Port, ToolSpec

PROFILE = "24.2"
FORMAT_DOI = "10.1007/s00418-023-02209-1"
"""OME-Zarr, in which all volumes are kept."""
_INDENT = "    "
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
"""Code as docstrings mark it; reStructuredText wants two backticks."""
_OUTPUT_HELP = (
    "Name of the dataset of the store that results go into; empty takes that of the first input."
)


def render_tool(spec: ToolSpec) -> str:
    """Return the XML of one tool, stable to the byte for equal specs."""
    root = ET.Element(
        "tool", id=f"gateway_{spec.id}", name=spec.title, version=spec.version, profile=PROFILE
    )
    ET.SubElement(root, "description").text = spec.summary.rstrip(".")
    _annotations(root, spec)
    requirements = ET.SubElement(root, "requirements")
    if spec.image:
        container = ET.SubElement(requirements, "container", type="docker")
        container.text = image_name(spec)
    command = ET.SubElement(root, "command", detect_errors="exit_code")
    command.text = (
        f"gateway-galaxy run {spec.id} --version {spec.version} --form '$form' "
        "--user '$__user_email__'"
    )
    config = ET.SubElement(root, "configfiles")
    ET.SubElement(config, "inputs", name="form", filename="form.json", data_style="paths")
    _inputs(root, spec)
    _outputs(root, spec)
    _tests(root, spec)
    ET.SubElement(root, "help").text = _help(spec)
    citations = ET.SubElement(root, "citations")
    for doi in (*spec.doi, FORMAT_DOI):
        ET.SubElement(citations, "citation", type="doi").text = doi
    ET.indent(root, space=_INDENT)
    return ET.tostring(root, encoding="unicode") + "\n"


def _annotations(root: ET.Element, spec: ToolSpec) -> None:
    for kind, mark in (("topic", "edam_topics"), ("operation", "edam_operations")):
        terms = [term for term in spec.edam if term.startswith(f"{kind}_")]
        if terms:
            group = ET.SubElement(root, mark)
            for term in terms:
                ET.SubElement(group, f"edam_{kind}").text = term


def _inputs(root: ET.Element, spec: ToolSpec) -> None:
    inputs = ET.SubElement(root, "inputs")
    for name, port in spec.inputs.items():
        _data(inputs, name, port)
    for field in fields_of(spec):
        _param(inputs, field)
    for name, port in spec.outputs.items():
        if port.kind == "file":
            _file_format(inputs, name)
    save = ET.SubElement(inputs, "section", name="save", title="Results", expanded="false")
    for name, port in spec.outputs.items():
        if port.optional:
            attributes = {"name": f"make_{name}", "type": "boolean", "checked": "true"}
            attributes |= {"label": f"Make {label(name).lower()}", "help": _line(port.help)}
            ET.SubElement(save, "param", attributes)
    attributes = {"name": "dataset", "type": "text", "optional": "true", "label": "Dataset"}
    dataset = ET.SubElement(save, "param", attributes | {"help": _OUTPUT_HELP})
    ET.SubElement(
        dataset, "validator", type="regex", message="Letters, digits, '_', '-' and single dots."
    ).text = r"^([A-Za-z0-9][A-Za-z0-9_\-]*(\.[A-Za-z0-9_\-]+)*)?$"


def _data(parent: ET.Element, name: str, port: Port) -> None:
    attributes = {"name": name, "type": "data", "format": datatype(port.kind)}
    attributes |= {"label": label(name), "help": _line(port.help)}
    ET.SubElement(parent, "param", attributes | ({"optional": "true"} if port.optional else {}))


def _file_format(parent: ET.Element, name: str) -> None:
    attributes = {"name": f"{name}_format", "type": "select", "label": f"Format of the {name}"}
    select = ET.SubElement(parent, "param", attributes)
    for number, (suffix, (_, title)) in enumerate(FILE_FORMATS.items()):
        chosen = {"selected": "true"} if number == 0 else {}
        ET.SubElement(select, "option", {"value": suffix, **chosen}).text = title


def _param(parent: ET.Element, field: Field) -> None:
    if field.kind == "choice":
        _conditional(parent, field)
    elif field.kind == "vector":
        title = field.label if not field.help else f"{field.label}: {field.help}"
        section = {"name": field.name, "title": title.rstrip("."), "expanded": "true"}
        group = ET.SubElement(parent, "section", section)
        for part in field.parts:
            _scalar(group, part)
    else:
        _scalar(parent, field)


def _scalar(parent: ET.Element, field: Field) -> None:
    attributes = {"name": field.name}
    attributes["type"] = "text" if field.kind == "list" else field.kind
    if field.optional:
        attributes["optional"] = "true"
    if field.kind == "boolean":
        attributes["checked"] = str(bool(field.default)).lower()
    elif field.kind != "select" and (field.default is not None or not field.optional):
        attributes["value"] = _plain(field.default)
    attributes |= _range(field)
    attributes |= {"label": field.label, "help": field.help}
    node = ET.SubElement(parent, "param", {k: v for k, v in attributes.items() if k != "help" or v})
    for option in field.options:
        chosen = {"selected": "true"} if option == str(field.default) else {}
        ET.SubElement(node, "option", {"value": option, **chosen}).text = option
    _exclusive(node, field.bounds)


def _range(field: Field) -> dict[str, str]:
    """Return the bounds Galaxy checks as one types; they include their ends."""
    bounds = field.bounds
    low = bounds.least if bounds.least is not None else bounds.above
    high = bounds.most if bounds.most is not None else bounds.below
    given = {"min": low, "max": high}
    return {name: f"{value:g}" for name, value in given.items() if value is not None}


def _exclusive(node: ET.Element, bounds: Bounds) -> None:
    for name, end, bound in (
        ("min", "exclude_min", bounds.above),
        ("max", "exclude_max", bounds.below),
    ):
        if bound is not None:
            attributes = {"type": "in_range", name: f"{bound:g}", end: "true"}
            ET.SubElement(node, "validator", attributes)


def _conditional(parent: ET.Element, field: Field) -> None:
    node = ET.SubElement(parent, "conditional", name=field.name)
    attributes = {"name": field.switch, "type": "select", "label": field.label}
    select = ET.SubElement(node, "param", attributes | ({"help": field.help} if field.help else {}))
    chosen = (field.default or {}).get(field.switch)
    for value, title, _ in field.branches:
        mark = {"selected": "true"} if value == chosen else {}
        ET.SubElement(select, "option", {"value": value, **mark}).text = title
    for value, _, fields in field.branches:
        when = ET.SubElement(node, "when", value=value)
        for inner in fields:
            _param(when, inner)


def _outputs(root: ET.Element, spec: ToolSpec) -> None:
    outputs = ET.SubElement(root, "outputs")
    for name, port in spec.outputs.items():
        called = output_name(spec, name)
        attributes = {"name": called, "label": f"${{tool.name}} on ${{on_string}}: {name}"}
        if port.kind == "file":
            first = next(iter(FILE_FORMATS.values()))[0]
            work = {"format": first, "from_work_dir": name}
            data = ET.SubElement(outputs, "data", attributes | work)
            change = ET.SubElement(data, "change_format")
            for suffix, (kind, _) in FILE_FORMATS.items():
                when = {"input": f"{name}_format", "value": suffix, "format": kind}
                ET.SubElement(change, "when", when)
            continue
        work = {"format": datatype(port.kind), "from_work_dir": f"{name}.volref"}
        data = ET.SubElement(outputs, "data", attributes | work)
        if port.optional:
            same = f" and {name}" if _follows(spec, name) else ""
            ET.SubElement(data, "filter").text = f"save['make_{name}']{same}"


def output_name(spec: ToolSpec, port: str) -> str:
    """Return the name of an output in Galaxy, where inputs and outputs may not share one."""
    return f"{port}_out" if port in spec.inputs else port


def _follows(spec: ToolSpec, output: str) -> bool:
    """Whether an output is made of the optional input of the same name, and only then."""
    return output in spec.inputs and spec.inputs[output].optional


def _tests(root: ET.Element, spec: ToolSpec) -> None:
    tests = ET.SubElement(root, "tests")
    for example in spec.examples:
        test = ET.SubElement(tests, "test", expect_num_outputs=str(len(example.expect)))
        for name, fixture in example.inputs.items():
            given = {"value": f"{fixture}.volref", "ftype": datatype(spec.inputs[name].kind)}
            ET.SubElement(test, "param", {"name": name, **given})
        for field in fields_of(spec):
            if field.name in example.params:
                _value(test, field, example.params[field.name])
        suffix = ".csv" if "points" in example.inputs else ".tif"
        for name in example.expect:
            if spec.outputs[name].kind == "file":
                ET.SubElement(test, "param", name=f"{name}_format", value=suffix)
        save = ET.SubElement(test, "section", name="save")
        for name, port in spec.outputs.items():
            if port.optional:
                wanted = str(name in example.expect).lower()
                ET.SubElement(save, "param", name=f"make_{name}", value=wanted)
        for name, digest in example.expect.items():
            _expected(test, spec, name, digest, suffix)


def _expected(test: ET.Element, spec: ToolSpec, name: str, digest: str, suffix: str) -> None:
    is_file = spec.outputs[name].kind == "file"
    kind = FILE_FORMATS[suffix][0] if is_file else datatype(spec.outputs[name].kind)
    output = ET.SubElement(test, "output", name=output_name(spec, name), ftype=kind)
    contents = ET.SubElement(output, "assert_contents")
    if is_file:
        ET.SubElement(contents, "has_size", min="1")
    else:
        ET.SubElement(contents, "has_text", text=digest or '"digest": "blake3:')


def _value(parent: ET.Element, field: Field, value: object) -> None:
    if field.kind == "choice" and isinstance(value, dict):
        node = ET.SubElement(parent, "conditional", name=field.name)
        chosen = str(value[field.switch])
        ET.SubElement(node, "param", name=field.switch, value=chosen)
        inner = next(fields for kind, _, fields in field.branches if kind == chosen)
        for part in inner:
            if part.name in value:
                _value(node, part, value[part.name])
    elif field.kind == "vector" and isinstance(value, list | tuple):
        section = ET.SubElement(parent, "section", name=field.name)
        for part, one in zip(field.parts, value, strict=True):
            ET.SubElement(section, "param", name=part.name, value=_plain(one))
    else:
        ET.SubElement(parent, "param", name=field.name, value=_plain(value))


def _help(spec: ToolSpec) -> str:
    """Return the help as reStructuredText, which every Galaxy renders."""
    lines = [spec.summary, "", spec.help.strip(), ""]
    for title, ports in (("Inputs", spec.inputs), ("Outputs", spec.outputs)):
        lines += [f"**{title}**", ""]
        lines += [f"- **{name}** ({port.kind}): {_line(port.help)}" for name, port in ports.items()]
        lines += [""]
    lines += ["Datasets of the history hold names of volumes, not voxels: nothing is copied."]
    return _CODE.sub(r"``\1``", "\n".join(lines)) + "\n"


def _line(text: str) -> str:
    return " ".join(text.split())


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ",".join(map(_plain, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
