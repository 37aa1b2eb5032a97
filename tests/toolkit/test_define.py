"""The decorator reads what it can explain and refuses the rest with exact words."""

import pytest

from gateway.errors import ToolDefinitionError

GOOD = '''
class Otsu(Method):
    """From the histogram."""
    kind: Literal["otsu"] = "otsu"
    offset: Annotated[float, Field(ge=-1000, le=1000, description="Added to the threshold.")] = 0.0

class Manual(Method):
    """As given."""
    kind: Literal["manual"] = "manual"
    value: float = Field(ge=0, description="Voxels above are foreground.")

class Found(NamedTuple):
    """What is found.

    Attributes:
        labels: One number per thing.
        centres: One row per thing.
    """
    labels: Labels
    centres: Points | None

@tool(version="1.2.3", image="classic", edam=("operation_3443",), doi=("10.7717/peerj.453",))
def find_things(
    image: Image,
    mask: Labels | None = None,
    *,
    method: Annotated[Otsu | Manual, Field(discriminator="kind")] = Otsu(),
    width_um: Annotated[float, Field(gt=0, le=500)] = 8.0,
    box: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None,
    side: Literal["left", "right"] = "left",
    quick: bool = False,
) -> Passes[Found]:
    """Find things.

    A longer story.

    Args:
        image: What to look at.
        mask: Where to look.
        method: How the threshold is chosen.
        width_um: Width of a thing
            in micrometres.
        box: A box.
        side: A side.
        quick: Whether to hurry.
    """
'''


def test_ports_settings_and_help_come_from_signature_and_docstring(define):
    spec = define("find_things", GOOD)
    assert (spec.id, spec.version, spec.shape) == ("find_things", "1.2.3", "passes")
    assert spec.summary == "Find things."
    assert spec.help == "A longer story."
    assert [(k, p.kind, p.optional) for k, p in spec.inputs.items()] == [
        ("image", "image", False),
        ("mask", "labels", True),
    ]
    assert [(k, p.kind, p.optional, p.help) for k, p in spec.outputs.items()] == [
        ("labels", "labels", False, "One number per thing."),
        ("centres", "points", True, "One row per thing."),
    ]
    assert spec.inputs["mask"].help == "Where to look."
    fields = spec.params.model_fields
    assert list(fields) == ["method", "width_um", "box", "side", "quick"]
    assert fields["width_um"].description == "Width of a thing in micrometres."


def test_one_output_is_called_by_its_kind_and_blocks_make_a_block_tool(define):
    spec = define("blur", BLOCK)
    assert spec.shape == "block"
    assert list(spec.outputs) == ["image"]
    assert spec.outputs["image"].help == "The same, smoother."


def test_help_of_an_output_may_stand_under_its_field(define):
    fields = GOOD.replace("labels: Labels\n", 'labels: Labels\n    """Numbers of things."""\n')
    assert "Attributes:" in fields
    attributes = fields.replace("labels: One number per thing.\n        ", "")
    spec = define("find_things", attributes)
    assert spec.outputs["labels"].help == "Numbers of things."
    assert spec.outputs["centres"].help == "One row per thing."


def test_a_tool_that_takes_outputs_is_a_volume_tool(define):
    spec = define(
        "save",
        '''
        class Saved(NamedTuple):
            file: File

        @tool(version="1.0.0", image="i")
        def save(image: Image, outputs: Outputs[Saved]) -> None:
            """Save.

            Args:
                image: It.
            """
        ''',
    )
    assert spec.shape == "volume"
    assert spec.outputs["file"].kind == "file"


BLOCK = '''
@tool(version="1.0.0", image="i", halo_um=4.0)
def blur(image: ImageBlock, *, sigma_um: Annotated[float, Field(gt=0)] = 1.0) -> ImageBlock:
    """Blur.

    Args:
        image: What to blur.
        sigma_um: How much.

    Returns:
        The same, smoother.
    """
'''


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "Annotated[float, Field(gt=0)]",
            "float",
            "parameter 'sigma_um': float has no bound: write Annotated[float, Field(gt=0)]",
        ),
        ("sigma_um: Annotated[float, Field(gt=0)]", "sigma_um", "'sigma_um' has no type"),
        ("    sigma_um: How much.\n", "", "'sigma_um' has no line under 'Args:'"),
        ("Blur.\n", "\n", "the docstring needs a first line"),
        ("-> ImageBlock", "-> int", "output 'output' is <class 'int'>, not a port"),
        ("-> ImageBlock", "", "the return annotation must name the outputs"),
        ("-> ImageBlock", "-> tuple[ImageBlock, ImageBlock]", "two outputs are called 'image'"),
        (
            "-> ImageBlock",
            "-> tuple[ImageBlock, LabelsBlock]",
            "a block tool writes at most one volume, got image, labels",
        ),
        ("image: ImageBlock", "image: Image", "takes handles but returns"),
        ("image: ImageBlock", "image: bool", "no parameter is a data port"),
        ("-> ImageBlock", "-> Passes[Image]", "a passes tool takes handles"),
        ("= 1.0", "= -1.0", "the default -1.0 of 'sigma_um' breaks its own bounds"),
        (
            "sigma_um: Annotated[float, Field(gt=0)] = 1.0",
            "sigma_um: tuple[str, ...] = []",
            "the default of 'sigma_um' is a mutable list",
        ),
        ("Annotated[float, Field(gt=0)] = 1.0", "complex = 1j", "not one a form can show"),
        ("Annotated[float, Field(gt=0)] = 1.0", "'Nowhere' = 1", "an annotation names 'Nowhere'"),
        ("sigma_um: Annotated", "copy: Annotated", "'copy'"),
        ("*, sigma_um", "*more, sigma_um", "hides parameters"),
        ("image: ImageBlock", "image: ImageBlock | None", "'image: Image | None = None'"),
        ('version="1.0.0"', 'version="one"', "version 'one' is not like '1.0.0'"),
        ('image="i"', 'image="i", edam=("3443",)', "EDAM term '3443'"),
        ('image="i"', 'image="i", doi=("https://x",)', "DOI 'https://x'"),
        ("halo_um=4.0", "halo_um=4.0, halo_voxels=3", "halo_um or halo_voxels, not both"),
        ("def blur", "def Blur", "in lower case"),
        (
            "halo_um=4.0",
            "examples=(Example(inputs={}, params={'sigma': 1}, expect={}),)",
            "unknown parameter 'sigma'",
        ),
    ],
)
def test_what_cannot_be_explained_is_refused_at_import(define, old, new, words):
    assert old in BLOCK
    with pytest.raises(ToolDefinitionError) as caught:
        define("blur", BLOCK.replace(old, new, 1))
    assert words in str(caught.value)


def test_a_file_and_its_tool_have_one_name(define):
    with pytest.raises(ToolDefinitionError, match="move it to blur"):
        define("smear", BLOCK)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('Annotated[Otsu | Manual, Field(discriminator="kind")]', "Otsu | Manual", "discriminator"),
        ("ge=0, description=", "description=", "Manual.value: float has no bound"),
        (', description="Voxels above are foreground."', "", "Manual.value has no help"),
        ("class Otsu(Method)", "class Otsu(BaseModel)", "Otsu must derive from"),
        ("labels: Labels", "labels: int", "output 'labels' is <class 'int'>"),
    ],
)
def test_a_choice_of_method_is_held_to_the_same(define, old, new, words):
    assert old in GOOD
    with pytest.raises(ToolDefinitionError) as caught:
        define("find_things", GOOD.replace(old, new, 1))
    assert words in str(caught.value)
