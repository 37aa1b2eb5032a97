"""Tools as functions: signatures, help and completion from what the gateway says of each."""

import html
import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any

from blake3 import blake3

from gateway.client.job import Job
from gateway.client.session import Session
from gateway.errors import CallError, ToolNotFoundError
from gateway.notebook.progress import follow
from gateway.notebook.things import show_thing
from gateway.toolkit.fields import Field, fields_of_schema

Outputs = str | Mapping[str, str] | None
"""A ref for the one output, or output port to ref."""
_MARK_DIGITS = 10


class Tools:
    """The tools of a gateway: `tools.detect_nuclei(image="m1/raw", diameter_um=12)`."""

    def __init__(self, session: Session) -> None:
        """Offer the tools of the gateway of a session."""
        self._session = session

    def __getattr__(self, name: str) -> "Tool":
        """Return a tool by its id."""
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return Tool(self._session, self._session.tool(name))
        except ToolNotFoundError as error:
            raise AttributeError(str(error)) from error

    def __dir__(self) -> list[str]:
        """List the tools, for completion."""
        return sorted(tool["id"] for tool in self._session.tools())

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ids of the tools."""
        return iter(dir(self))

    def __repr__(self) -> str:
        """List the tools, a line each."""
        return "\n".join(f"{tool['id']}: {tool['summary']}" for tool in self._session.tools())


class Tool:
    """One tool: call it to run it."""

    def __init__(self, session: Session, described: Mapping[str, Any]) -> None:
        """Take what the gateway says of a tool."""
        self._session = session
        self.described = described
        self.fields: tuple[Field, ...] = fields_of_schema(described["params"])
        self.__name__ = str(described["id"])
        self.__doc__ = self._help()
        self.__signature__ = self._signature()

    def __call__(
        self,
        *,
        out: str | Mapping[str, str] | None = None,
        dataset: str | None = None,
        **given: Any,
    ) -> "Result":
        """Run the tool, showing its progress, and return what it made.

        Args:
            out: A ref for the one output, or output port to ref; what is not named gets a name
                from the call, so that the same call finds its own result again.
            dataset: Where outputs without a ref go; that of the first input otherwise.
            given: Inputs by port, as refs, and settings by name.

        Raises:
            CallError: A port or a setting is unknown, missing or out of bounds.
            RunError: The run failed; says why.
        """
        inputs, outputs, settings = self.sort(given, out, dataset)
        job = self._session.start(self.__name__, inputs, outputs, **settings)
        return Result(self._session, follow(job))

    def plan(
        self,
        *,
        out: str | Mapping[str, str] | None = None,
        dataset: str | None = None,
        **given: Any,
    ) -> dict[str, Any]:
        """Return what a call would do: blocks, memory, bytes. Nothing is written."""
        inputs, outputs, settings = self.sort(given, out, dataset)
        return self._session.plan(self.__name__, inputs, outputs, **settings)

    def sort(
        self, given: Mapping[str, Any], out: Outputs, dataset: str | None
    ) -> tuple[dict[str, str], dict[str, str], dict[str, Any]]:
        """Return the inputs, outputs and settings of a call.

        Raises:
            CallError: No dataset is known for an output that has no ref.
        """
        ports = self.described["inputs"]
        inputs = {name: str(given[name]) for name in ports if given.get(name) is not None}
        settings = {name: value for name, value in given.items() if name not in ports}
        named = self._named(out)
        first = next(iter(inputs.values()), "")
        place = dataset or first.partition("/")[0]
        mark = self._mark(inputs, settings)
        outputs = dict(named)
        for name, port in self.described["outputs"].items():
            wanted = not port["optional"] or (out is None and self._follows(name, inputs))
            if name not in outputs and wanted and port["kind"] != "file":
                if not place:
                    raise CallError(f"{self.__name__}: say where {name!r} goes: out=… or dataset=…")
                outputs[name] = f"{place}/{self.__name__}-{mark}-{name}"
        return inputs, outputs, settings

    def _named(self, out: Outputs) -> dict[str, str]:
        if out is None:
            return {}
        if not isinstance(out, str):
            return dict(out)
        ports = self.described["outputs"]
        needed = [name for name, port in ports.items() if not port["optional"]] or list(ports)
        if len(needed) > 1:
            raise CallError(
                f"{self.__name__} has the outputs {', '.join(ports)}; give out={{port: ref}}"
            )
        return {needed[0]: out}

    def _follows(self, output: str, inputs: Mapping[str, str]) -> bool:
        """Tell whether an optional output can be made: of the input of its name, or of any."""
        return output not in self.described["inputs"] or output in inputs

    def _mark(self, inputs: Mapping[str, str], settings: Mapping[str, Any]) -> str:
        call = [self.__name__, self.described["version"], inputs, settings]
        text = json.dumps(call, sort_keys=True, default=str)
        return blake3(text.encode()).hexdigest()[:_MARK_DIGITS]

    def _signature(self) -> inspect.Signature:
        only = inspect.Parameter.KEYWORD_ONLY
        none = inspect.Parameter.empty
        parameters = [
            inspect.Parameter(name, only, default=None if port["optional"] else none)
            for name, port in self.described["inputs"].items()
        ]
        parameters += [
            inspect.Parameter(f.name, only, default=none if f.required else f.default)
            for f in self.fields
        ]
        parameters += [inspect.Parameter(name, only, default=None) for name in ("out", "dataset")]
        return inspect.Signature(parameters)

    def _help(self) -> str:
        lines = [self.described["summary"], "", self.described["help"].strip(), ""]
        for title, ports in (("Inputs", "inputs"), ("Outputs", "outputs")):
            lines += [f"{title}:"]
            lines += [
                f"    {name} ({port['kind']}): {' '.join(port['help'].split())}"
                for name, port in self.described[ports].items()
            ]
        lines += ["Settings:"]
        lines += [f"    {field.name}: {field.help}{_bounds(field)}" for field in self.fields]
        return "\n".join(lines)

    def __repr__(self) -> str:
        """Show how the tool is called."""
        return f"{self.__name__}{self.__signature__}"


class Result:
    """What a run made."""

    def __init__(self, session: Session, job: Job) -> None:
        """Take a job that is done."""
        self._session = session
        self.job = job

    @property
    def refs(self) -> dict[str, str]:
        """Output port to ref."""
        return self.job.outputs

    def __getitem__(self, port: str) -> Any:
        """Open an output: a lazy volume, or a table."""
        if port not in self.refs:
            raise KeyError(f"{port!r}; the run made {', '.join(self.refs)}")
        return show_thing(self._session, self.refs[port])

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{html.escape(self.job.state['tool'])}</b> made:</p>"]
        for port, ref in self.refs.items():
            try:
                shown = show_thing(self._session, ref)._repr_html_()
            except CallError:  # tiles, files: nothing that has a picture
                shown = html.escape(ref)
            parts.append(f"<details open><summary>{html.escape(port)}</summary>{shown}</details>")
        return "".join(parts)

    def __repr__(self) -> str:
        """List what was made."""
        made = ", ".join(f"{port}={ref}" for port, ref in self.refs.items())
        return f"<{self.job.state['tool']}: {made}>"


def _bounds(field: Field) -> str:
    bounds = field.bounds
    ends = (("≥", bounds.least), (">", bounds.above), ("≤", bounds.most), ("<", bounds.below))
    words = [f"{sign} {value:g}" for sign, value in ends if value is not None]
    words += [f"one of {', '.join(field.options)}"] if field.options else []
    return f" ({', '.join(words)})" if words else ""
