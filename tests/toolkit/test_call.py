"""A call is checked before a job exists, and every refusal names parameter, value and bound."""

import pytest

from gateway.errors import CallError, RefError
from gateway.toolkit.call import Call, make_call
from gateway.toolkit.schema import tool_schema

TOOL = '''
class Otsu(Method):
    """From the histogram."""
    kind: Literal["otsu"] = "otsu"
    offset: float = Field(0.0, ge=-1000, le=1000, description="Added to the threshold.")

class Manual(Method):
    """As given."""
    kind: Literal["manual"] = "manual"
    value: float = Field(ge=0, description="Voxels above are foreground.")
    grid: tuple[Annotated[int, Field(gt=0)], ...] = Field((1,), description="A grid.")

class Found(NamedTuple):
    labels: Labels
    centres: Points | None

@tool(version="1.2.3", image="gateway/classic")
def find_things(
    image: Image,
    mask: Labels | None = None,
    *,
    method: Annotated[Otsu | Manual, Field(discriminator="kind")] = Otsu(),
    diameter_um: Annotated[float, Field(gt=0, le=500)],
    count: Annotated[int, Field(ge=0)] | None = None,
    box: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None,
    side: Literal["left", "right"] = "left",
    note: str = "",
    quick: bool = False,
) -> Passes[Found]:
    """Find things.

    Args:
        image: What to look at.
        mask: Where to look.
        method: How the threshold is chosen.
        diameter_um: Diameter of a thing.
        count: How many.
        box: A box.
        side: A side.
        note: A note.
        quick: Whether to hurry.
    """
'''


@pytest.fixture
def call(define):
    spec = define("find_things", TOOL)

    def make(**settings):
        return make_call(
            spec,
            {"image": "m1/raw"},
            {"labels": "m1/things"},
            {"diameter_um": 8} | {name.replace("__", "."): v for name, v in settings.items()},
        )

    make.spec = spec
    return make


def test_text_from_a_command_line_and_values_from_python_make_one_call(call):
    typed = call(
        diameter_um=7.0,
        count=3,
        box=(2, 3),
        quick=True,
        method={"kind": "manual", "value": 9, "grid": (1, 2)},
    )
    text = call(
        diameter_um="7",
        count="3",
        box="2, 3",
        quick="true",
        method__kind="manual",
        method__value="9.0",
        method__grid="1,2",
    )
    assert text == typed
    assert text.digest == typed.digest
    assert text.params["method"] == {"kind": "manual", "value": 9.0, "grid": [1, 2]}


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        ({"count": "none"}, "count", None),
        ({"box": "[4, 5]"}, "box", [4, 5]),
        ({"method": '{"kind": "otsu", "offset": 5}'}, "method", {"kind": "otsu", "offset": 5.0}),
        ({"method": "otsu"}, "method", {"kind": "otsu", "offset": 0.0}),
        ({"method__offset": "2"}, "method", {"kind": "otsu", "offset": 2.0}),
        ({"note": "1,2 {x}"}, "note", "1,2 {x}"),
        ({"quick": "no"}, "quick", False),
    ],
)
def test_text_is_read_by_the_type_it_is_for(call, settings, name, value):
    assert call(**settings).params[name] == value


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"diamter_um": 8},
            "find_things: no parameter 'diamter_um'; did you mean 'diameter_um'? it takes method,",
        ),
        (
            {"diameter_um": "-1"},
            "'-1': Input should be greater than 0 (takes a number > 0 and <= 500)",
        ),
        ({"diameter_um": "wide"}, "parameter 'diameter_um' is 'wide': Input should be a valid num"),
        ({"diameter_um": float("nan")}, "parameter 'diameter_um' is nan: Input should be"),
        ({"side": "up"}, "parameter 'side' is 'up': Input should be 'left' or 'right'"),
        ({"box": "1,0"}, "parameter 'box.1' is '0': Input should be greater than or equal to 1"),
        ({"box": "1,2,3"}, "(takes 2 values: each a whole number >= 1 or none, default none)"),
        ({"method": "otzu"}, "(takes one of the kinds manual, otsu, default kind=otsu, offset=0"),
        ({"method__kind": "manual"}, "parameter 'method.manual.value' is missing"),
        ({"method__off": 1}, "no parameter 'method.otsu.off'"),
        ({"method": "{broken"}, "parameter 'method': '{broken' is not JSON"),
        ({"side__x": 1}, "parameter 'side' has no parts"),
        ({"count": 1.5}, "parameter 'count' is 1.5"),
    ],
)
def test_a_bad_setting_is_refused_by_name_value_and_bound(call, settings, words):
    with pytest.raises(CallError) as caught:
        call(**settings)
    assert words in str(caught.value)


def test_a_required_setting_says_what_it_is_for(call):
    with pytest.raises(CallError) as caught:
        make_call(call.spec, {"image": "a/b"}, {"labels": "a/c"}, {})
    assert str(caught.value) == (
        "find_things: parameter 'diameter_um' is missing: Diameter of a thing. "
        "Takes a number > 0 and <= 500"
    )


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        ({"imgae": "a/b"}, {}, "no input 'imgae'; did you mean 'image'? it has image, mask"),
        ({}, {"labels": "a/c"}, "input 'image' (image) is missing: add --in image=DATASET/NAME"),
        (
            {"image": "a/b"},
            {},
            "output 'labels' (labels) is missing: add --out labels=DATASET/NAME",
        ),
        ({"image": "a/b"}, {"labels": "a/b"}, "output 'labels' and 'image' are both 'a/b'"),
        ({"image": "a/../b"}, {"labels": "a/c"}, "input 'image': ref 'a/../b' has 3 part(s)"),
    ],
)
def test_a_bad_port_is_refused(call, inputs, outputs, words):
    with pytest.raises((CallError, RefError)) as caught:
        make_call(call.spec, inputs, outputs, {"diameter_um": 8})
    assert words in str(caught.value)


def test_a_call_goes_through_json_unchanged(call):
    made = call(box=(1, 2))
    assert Call.from_json(made.to_json()).digest == made.digest
    with pytest.raises(CallError, match="a call has tool, version"):
        Call.from_json({"tool": "x", "colour": 1})


def test_the_schema_shows_ports_bounds_and_help(call):
    schema = tool_schema(call.spec)
    assert schema["inputs"]["mask"] == {
        "kind": "labels",
        "optional": True,
        "help": "Where to look.",
    }
    diameter = schema["params"]["properties"]["diameter_um"]
    assert (diameter["exclusiveMinimum"], diameter["maximum"]) == (0, 500)
    assert diameter["description"] == "Diameter of a thing."
