"""What the image of a tool is called."""

from dataclasses import replace

import gateway as package
from gateway.service.images import image_name
from gateway.toolkit.registry import get_tool, load_tools


def test_an_image_is_named_after_what_the_tool_declares_and_the_version_of_the_gateway():
    spec = get_tool("detect_nuclei")
    version = package.__version__
    assert image_name(spec) == f"brain-gateway/tools:{version}"
    template = "registry.example.org:5000/{image}:{version}-lab"
    mirrored = f"registry.example.org:5000/brain-gateway/tools:{version}-lab"
    assert image_name(spec, template) == mirrored


def test_a_tool_that_names_a_tag_has_its_own_image():
    spec = replace(get_tool("detect_nuclei"), image="host:5000/lab/ours:2.1")
    assert image_name(spec, "mirror/{image}:{version}") == "host:5000/lab/ours:2.1"
    assert image_name(replace(spec, image="")) == ""


def test_few_images_hold_our_tools():
    assert {spec.image for spec in load_tools().values() if spec.image.startswith("brain-")} == {
        "brain-gateway/tools"
    }
