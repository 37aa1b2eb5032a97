"""Forms follow the schema: units, bounds, defaults, choices of method and the fields inside."""

import importlib.util
import sys
from pathlib import Path

import numpy as np

from gateway.service.access.actor import Actor
from gateway.service.ingest import IngestOptions, ingest
from gateway.service.jobs.fields import setting_fields, walk_fields
from gateway.service.jobs.forms import blank_form, form_of_call, read_form
from gateway.toolkit.define import SPEC_ATTRIBUTE
from gateway.volumes.ref import parse_ref


def load_spec():
    path = Path(__file__).with_name("trial_methods.py")
    found = importlib.util.spec_from_file_location("trial_methods", path)
    module = importlib.util.module_from_spec(found)
    sys.modules["trial_methods"] = module
    found.loader.exec_module(module)
    return getattr(module.trial_methods, SPEC_ATTRIBUTE)


SPEC = load_spec()
BOSS = Actor(person="ana", administrator=True)


def test_every_setting_becomes_the_field_that_suits_it() -> None:
    fields = {item.name: item for item in walk_fields(setting_fields(SPEC))}
    assert [fields[f"set.{name}"].kind for name in cut_names()] == [
        "method",
        "number",
        "text",
        "choice",
        "switch",
        "text",
    ]
    around = fields["set.around_um"]
    assert (around.label, around.unit, around.default) == ("Around", "µm", "5")
    assert dict(around.bounds) == {"min": 0, "max": 50, "step": "any"}
    assert around.takes == "a number > 0 and <= 50"
    assert fields["set.factor"].default == "2,2"
    assert fields["set.mode"].choices == ("fast", "exact")
    method = fields["set.method"]
    assert (method.default, [item.kind for item in method.methods]) == ("otsu", ["otsu", "manual"])
    bins = fields["set.method.otsu.bins"]
    assert (bins.kind, bins.default, dict(bins.bounds)["step"]) == ("number", "256", "1")
    level = fields["set.method.manual.level"]
    assert level.required
    assert level.help == "Values above it are foreground."


def cut_names() -> list[str]:
    return ["method", "around_um", "factor", "mode", "invert", "note"]


def read(gateway, **sent: str):
    values = blank_form(SPEC, {"in.image": "m/raw", "out.image": "m/cut"}).values
    named = {f"set.{name.replace('__', '.')}": text for name, text in sent.items()}
    return read_form(gateway, BOSS, SPEC, values | named)


def test_what_is_sent_becomes_a_call_and_the_call_the_same_form(gateway, tmp_path) -> None:
    fill(gateway, tmp_path)
    form = read(gateway, method="manual", method__manual__level="12", invert="on", factor="3,4")
    assert form.errors == {}
    assert form.call is not None
    params = form.call.params
    assert params["method"] == {"kind": "manual", "level": 12.0}, "otsu's bins are not sent along"
    assert (params["invert"], params["factor"], params["note"]) == (True, [3, 4], None)
    again = form_of_call(SPEC, form.call, {"workers": 2})
    assert again.values["set.method"] == "manual"
    assert again.values["set.method.manual.level"] == "12.0"
    assert again.values["set.factor"] == "3,4"
    assert again.values["how.workers"] == "2"
    same = read_form(gateway, BOSS, SPEC, again.values)
    assert same.call == form.call
    assert same.options == {"workers": 2}


def test_a_form_left_as_it_is_gives_the_defaults(gateway, tmp_path) -> None:
    fill(gateway, tmp_path)
    form = read(gateway)
    assert form.call is not None
    assert form.call.params["method"] == {"kind": "otsu", "bins": 256}
    assert form.call.params["invert"] is False


def test_what_is_wrong_inside_a_method_stands_beside_its_field(gateway, tmp_path) -> None:
    fill(gateway, tmp_path)
    form = read(gateway, method="manual", method__manual__level="-5", factor="2,9", mode="slow")
    assert set(form.errors) == {"set.method.manual.level", "set.factor", "set.mode"}
    assert "greater than or equal to 0" in form.errors["set.method.manual.level"]
    assert set(read(gateway, method="manual").errors) == {"set.method.manual.level"}
    assert set(read(gateway, method="magic").errors) == {"set.method"}


def fill(gateway, tmp_path) -> None:
    source = tmp_path / "raw.npy"
    np.save(source, np.zeros((8, 8, 8), np.uint16))
    ingest(gateway, source, parse_ref("m/raw"), IngestOptions(voxel_um=(1.0, 1.0, 1.0)))
