"""Which image a tool runs in, and whether the one that the engine has will do."""

from dataclasses import replace

import gateway as package
from gateway.errors import RunError
from gateway.run.docker_client import DockerClient, ImageFacts
from gateway.run.plan import Plan
from gateway.service.gateway import Gateway
from gateway.toolkit.spec import ToolSpec


def image_name(spec: ToolSpec, template: str = "{image}:{version}") -> str:
    """Return the full name of a tool's image; one that the tool gives a tag is taken as it is.

    Args:
        spec: The tool.
        template: With `{image}` for what the tool declares, `{version}` for that of the gateway.
    """
    if not spec.image or ":" in spec.image.rpartition("/")[2]:
        return spec.image
    return template.replace("{image}", spec.image).replace("{version}", package.__version__)


def in_image(gateway: Gateway, spec: ToolSpec, plan: Plan) -> tuple[Plan, str]:
    """Return the plan with the image its workers run in, and what the record says of it.

    A plan for another engine, or with nothing to do, comes back as it is.

    Raises:
        NotFoundError: The engine does not have the image.
        RunError: The engine does not answer, or the image holds another gateway or no such tool.
    """
    settings = gateway.settings
    name = image_name(spec, settings.image_name)
    if plan.options.engine != "docker" or plan.published:
        return plan, name
    host = settings.docker_host or ""
    image = DockerClient(host).inspect_image(name)
    _check(image, spec)
    options = replace(
        plan.options,
        image=image.id,
        docker_host=host,
        docker_network=settings.docker_network or "",
    )
    return replace(plan, options=options), f"{name}@{image.digest}"


def _check(image: ImageFacts, spec: ToolSpec) -> None:
    if image.version != package.__version__:
        held = f"gateway {image.version}" if image.version else "no gateway"
        raise RunError(
            f"image {image.name} holds {held}, this is {package.__version__}; build it anew with "
            "`make images`, or pull the one of this version"
        )
    if image.tools.get(spec.id) != spec.version:
        held = f"{spec.id} {image.tools[spec.id]}" if spec.id in image.tools else f"no {spec.id}"
        raise RunError(
            f"image {image.name} holds {held}, the call is for {spec.id} {spec.version}; build it "
            "anew with `make images`"
        )
