"""The `@tool` decorator: turns one typed, documented function into a `ToolSpec`."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from gateway.errors import ToolDefinitionError
from gateway.toolkit.signature import Signature, read_signature
from gateway.toolkit.spec import BlockNeeds, Example, Halo, Resources, ToolSpec

SPEC_ATTRIBUTE = "__gateway_tool__"
_VERSION = re.compile(r"\d+\.\d+\.\d+\Z")
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
_EDAM = re.compile(r"(operation|topic|data|format)_\d{4}\Z")
_DOI = re.compile(r"10\.\d{4,9}/\S+\Z")
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def tool(
    *,
    version: str,
    image: str,
    halo_um: Halo | None = None,
    halo_voxels: Halo | None = None,
    bytes_per_voxel: float = 16.0,
    dtype: str | None = None,
    edam: tuple[str, ...] = (),
    doi: tuple[str, ...] = (),
    examples: tuple[Example, ...] = (),
    resources: Resources | None = None,
    hidden: bool = False,
) -> Callable[[FunctionT], FunctionT]:
    """Make the decorated function a tool; the function itself stays as it is.

    Args:
        version: `1.0.0`; change it whenever the same call may give another result.
        image: The container image, without its tag.
        halo_um: Block tools: how far a result looks beyond its voxel, in micrometres; a number,
            one per axis, or a function of the settings.
        halo_voxels: The same in voxels; give one of the two.
        bytes_per_voxel: Block tools: working memory per voxel of block with halo.
        dtype: Block tools: dtype of the volume written; None keeps that of the first input
            (`uint32` where an image becomes labels).
        edam: EDAM terms such as `operation_3443`.
        doi: DOIs of the methods, without a resolver.
        examples: Calls with known digests.
        resources: Cores and GPU of one task.
        hidden: For tools that only the gateway itself calls.

    Raises:
        ToolDefinitionError: At import, when something cannot be explained to a user.
    """
    needs = BlockNeeds(
        halo_um=halo_um, halo_voxels=halo_voxels, bytes_per_voxel=bytes_per_voxel, dtype=dtype
    )
    metadata = {
        "version": version,
        "image": image,
        "edam": edam,
        "doi": doi,
        "examples": examples,
        "resources": resources or Resources(),
        "hidden": hidden,
    }

    def define(function: FunctionT) -> FunctionT:
        setattr(function, SPEC_ATTRIBUTE, _make_spec(function, needs, metadata))
        return function

    return define


def _make_spec(
    function: Callable[..., Any], needs: BlockNeeds, metadata: Mapping[str, Any]
) -> ToolSpec:
    name = function.__name__
    _check_name(name, function.__module__)
    signature = read_signature(function)
    spec = ToolSpec(
        id=name,
        title=name.replace("_", " ").capitalize(),
        summary=signature.summary,
        help=signature.help,
        shape=signature.shape,
        inputs=signature.inputs,
        outputs=signature.outputs,
        params=signature.params,
        function=function,
        needs=needs,
        **metadata,
    )
    _check_metadata(name, spec.version, spec.edam, spec.doi)
    if spec.shape != "block" and not (needs.halo_um is None and needs.halo_voxels is None):
        raise ToolDefinitionError(f"{name}: a {spec.shape} tool gives its halo per pass")
    if needs.halo_um is not None and needs.halo_voxels is not None:
        raise ToolDefinitionError(f"{name}: give halo_um or halo_voxels, not both")
    _check_examples(name, signature, spec.examples)
    return spec


def _check_name(name: str, module: str) -> None:
    if not _NAME.match(name):
        raise ToolDefinitionError(f"{name}: a tool is called in lower case, verb_noun")
    if module.rpartition(".")[2] != name:
        raise ToolDefinitionError(
            f"{name}: a tool and its file have one name, but it is defined in module {module!r}; "
            f"move it to {name}.py"
        )


def _check_metadata(name: str, version: str, edam: tuple[str, ...], doi: tuple[str, ...]) -> None:
    if not _VERSION.match(version):
        raise ToolDefinitionError(f"{name}: version {version!r} is not like '1.0.0'")
    for term in edam:
        if not _EDAM.match(term):
            raise ToolDefinitionError(f"{name}: EDAM term {term!r} is not like 'operation_3443'")
    for item in doi:
        if not _DOI.match(item):
            raise ToolDefinitionError(f"{name}: DOI {item!r} is not like '10.7717/peerj.453'")


def _check_examples(name: str, signature: Signature, examples: tuple[Example, ...]) -> None:
    for example in examples:
        sets = (
            ("input", example.inputs, signature.inputs),
            ("parameter", example.params, signature.params.model_fields),
            ("output", example.expect, signature.outputs),
        )
        for what, given, known in sets:
            for key in given:
                if key not in known:
                    raise ToolDefinitionError(f"{name}: an example names an unknown {what} {key!r}")
