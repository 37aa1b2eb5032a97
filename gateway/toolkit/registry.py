"""Finds tools by the entry-point group `gateway.tools`; there is no list to maintain."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from gateway.errors import ToolDefinitionError, ToolNotFoundError
from gateway.toolkit.define import SPEC_ATTRIBUTE
from gateway.toolkit.spec import ToolSpec

GROUP = "gateway.tools"
"""An entry point of this group names a package whose modules are tools, or one such module."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the installed packages bring."""

    tools: dict[str, ToolSpec]
    """By id, in order of id."""
    broken: tuple[str, ...]
    """Why a tool or a whole package was left out, each named with the package that brought it."""


def load_tools() -> dict[str, ToolSpec]:
    """Import every tool there is and return the specs by id, in order of id.

    Raises:
        ToolDefinitionError: A tool file is wrong, cannot be imported, or takes a taken name;
            names the package that brought it.
    """
    found = find_tools()
    if found.broken:
        raise ToolDefinitionError("; ".join(found.broken))
    return found.tools


def find_tools() -> Found:
    """Import every tool there is; one that is broken hides no other."""
    found: dict[str, tuple[ToolSpec, str]] = {}
    broken: list[str] = []
    for point in _points():
        try:
            modules = list(_modules(point))
        except ToolDefinitionError as error:
            broken.append(str(error))
            continue
        for module in modules:
            try:
                _enter(found, _spec_of(_import(module, point)), _owner(point))
            except ToolDefinitionError as error:
                broken.append(str(error))
    return Found({name: found[name][0] for name in sorted(found)}, tuple(broken))


def _enter(found: dict[str, tuple[ToolSpec, str]], spec: ToolSpec | None, owner: str) -> None:
    if spec is None:
        return
    if spec.id in found:
        raise ToolDefinitionError(
            f"two packages bring a tool {spec.id!r}: {found[spec.id][1]} and {owner}; "
            "uninstall one of them"
        )
    found[spec.id] = (spec, owner)


def get_tool(tool_id: str) -> ToolSpec:
    """Return one tool, importing no other.

    Raises:
        ToolNotFoundError: No such tool; says which ids are near and which exist.
        ToolDefinitionError: Its file is wrong.
    """
    if tool_id.isidentifier():
        for point in _points():
            if tool_id in (name.rpartition(".")[2] for name in _modules(point)):
                name = next(n for n in _modules(point) if n.rpartition(".")[2] == tool_id)
                spec = _spec_of(_import(name, point))
                if spec is not None:
                    return spec
    known = list(find_tools().tools)
    near = get_close_matches(tool_id, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ToolNotFoundError(f"no tool {tool_id!r}; {hint}there is {', '.join(known) or 'none'}")


def _points() -> list[EntryPoint]:
    unique = {(point.name, point.value): point for point in entry_points(group=GROUP)}
    return [unique[key] for key in sorted(unique)]


def _modules(point: EntryPoint) -> Iterator[str]:
    """Yield the dotted names of the modules an entry point brings."""
    try:
        spec = importlib.util.find_spec(point.module)
    except ImportError as error:
        raise _broken(point.module, point, error) from error
    if spec is None:
        raise ToolDefinitionError(
            f"{_owner(point)} announces tools in {point.module!r}, which cannot be found; "
            "reinstall it"
        )
    if spec.submodule_search_locations is None:
        yield point.module
        return
    for info in pkgutil.iter_modules(spec.submodule_search_locations):
        if not info.name.startswith("_"):
            yield f"{point.module}.{info.name}"


def _import(name: str, point: EntryPoint) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (ImportError, SyntaxError) as error:
        raise _broken(name, point, error) from error
    except ToolDefinitionError as error:
        raise ToolDefinitionError(f"{error} (in {_owner(point)}, module {name})") from error


def _spec_of(module: ModuleType) -> ToolSpec | None:
    function = getattr(module, module.__name__.rpartition(".")[2], None)
    spec = getattr(function, SPEC_ATTRIBUTE, None)
    return spec if isinstance(spec, ToolSpec) else None


def _broken(name: str, point: EntryPoint, error: Exception) -> ToolDefinitionError:
    return ToolDefinitionError(f"{_owner(point)}: tool module {name!r} does not import: {error}")


def _owner(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value
