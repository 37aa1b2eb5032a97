"""A tool's form as widgets: ports, settings with bounds and help, and a button to run it."""

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets

from gateway.client.session import Session
from gateway.errors import GatewayError
from gateway.notebook.toolbox import Result, Tool
from gateway.toolkit.fields import Field

_STYLE = {"description_width": "11em"}
_WIDE = widgets.Layout(width="32em")


class ToolForm(widgets.VBox):  # type: ignore[misc]  # ipywidgets publishes no types
    """The form of a tool; `form.values` is what stands in it, `form.result` what a run made."""

    def __init__(self, session: Session, tool: str, filled: Mapping[str, Any]) -> None:
        """Make the form of a tool.

        Args:
            session: The gateway.
            tool: Id of the tool.
            filled: What stands in it at first, by port and setting.
        """
        self._tool = Tool(session, session.tool(tool))
        self.result: Result | None = None
        """What the last run made."""
        self._ports = {
            name: _port(session, name, port, filled.get(name))
            for name, port in self._tool.described["inputs"].items()
        }
        self._settings = {
            field.name: _entry(field, filled.get(field.name, field.default))
            for field in self._tool.fields
        }
        self._dataset = widgets.Text(
            description="results into", placeholder="dataset of the first input", style=_STYLE
        )
        self.button = widgets.Button(description="Run", button_style="primary")
        self.button.on_click(self._run)
        self.output = widgets.Output()
        self.message = widgets.HTML()
        title = widgets.HTML(f"<b>{tool}</b>: {self._tool.described['summary']}")
        parts = [*self._ports.values(), *(entry.widget for entry in self._settings.values())]
        super().__init__([title, *parts, self._dataset, self.button, self.message, self.output])

    @property
    def values(self) -> dict[str, Any]:
        """What stands in the form, by port and setting; what is empty is left out."""
        ports = {name: box.value for name, box in self._ports.items() if box.value}
        settings = {name: entry.value for name, entry in self._settings.items()}
        return {**ports, **{name: value for name, value in settings.items() if value is not None}}

    def _run(self, _button: Any = None) -> None:
        self.message.value = ""
        self.button.disabled = True
        try:
            with self.output:
                self.result = self._tool(dataset=self._dataset.value or None, **self.values)
                print(self.result)  # noqa: T201 - into the form's own output
        except GatewayError as error:
            # beside the form, where it can be mended, rather than a stack of calls
            self.message.value = f'<span style="color:#a3261b">{_escape(str(error))}</span>'
        finally:
            self.button.disabled = False


class _Entry:
    """A widget and how its value becomes that of a setting."""

    def __init__(self, widget: Any, parts: "Mapping[str, _Entry] | None" = None) -> None:
        self.widget = widget
        self._parts = parts

    @property
    def value(self) -> Any:
        if self._parts is None:
            return None if self.widget.value == "" else self.widget.value
        given = [part.value for part in self._parts.values()]
        return None if any(value is None for value in given) else given


class _Choice(_Entry):
    """A choice of method with the fields of the chosen one."""

    def __init__(self, field: Field, default: Any) -> None:
        start = default if isinstance(default, Mapping) else {}
        self._switch = field.switch
        self._kind = widgets.Dropdown(
            options=[(title, kind) for kind, title, _ in field.branches],
            description=field.label,
            value=start.get(field.switch, field.branches[0][0]),
            style=_STYLE,
            layout=_WIDE,
        )
        self._fields = {
            kind: {
                inner.name: _entry(inner, start.get(inner.name, inner.default)) for inner in fields
            }
            for kind, _, fields in field.branches
        }
        self._box = widgets.VBox()
        self._kind.observe(self._show, "value")
        super().__init__(widgets.VBox([self._kind, self._box]))
        self._show()

    @property
    def value(self) -> Any:
        kind = self._kind.value
        inner = {name: entry.value for name, entry in self._fields[kind].items()}
        return {self._switch: kind, **{k: v for k, v in inner.items() if v is not None}}

    def _show(self, _change: Any = None) -> None:
        self._box.children = [entry.widget for entry in self._fields[self._kind.value].values()]


def _entry(field: Field, value: Any) -> _Entry:
    """Return the widget of a setting, with `value` in it."""
    if field.kind == "choice":
        return _Choice(field, value)
    common = {"description": field.label, "tooltip": field.help, "style": _STYLE, "layout": _WIDE}
    if field.kind == "vector":
        values = value or [None] * len(field.parts)
        parts = {p.name: _entry(p, v) for p, v in zip(field.parts, values, strict=True)}
        title = widgets.HTML(f"{_escape(field.label)}: {_escape(field.help)}")
        return _Entry(widgets.VBox([title, *(part.widget for part in parts.values())]), parts)
    if field.kind == "boolean":
        return _Entry(widgets.Checkbox(value=bool(value), **common))
    if field.kind == "select":
        chosen = str(value) if value is not None else field.options[0]
        return _Entry(widgets.Dropdown(options=list(field.options), value=chosen, **common))
    bounds = field.bounds
    low = bounds.least if bounds.least is not None else bounds.above
    high = bounds.most if bounds.most is not None else bounds.below
    number = field.kind in ("integer", "float") and low is not None and high is not None
    if not number or value is None:
        # a number without a default, or that may be left empty, is text: no widget can be empty
        text = ",".join(map(str, value)) if isinstance(value, list | tuple) else value
        hint = "needed" if field.required else ""
        shown = "" if text is None else str(text)
        return _Entry(widgets.Text(value=shown, placeholder=hint, **common))
    kind = widgets.BoundedIntText if field.kind == "integer" else widgets.BoundedFloatText
    return _Entry(kind(value=value, min=low, max=high, **common))


def _port(session: Session, name: str, port: Mapping[str, Any], value: str | None) -> Any:
    """Return the picker of an input: what suits it is offered, anything may be typed."""
    offered = [
        entry["ref"]
        for dataset in session.datasets()
        for entry in session.dataset(dataset["name"])["entries"]
        if entry["kind"] == port["kind"]
    ]
    return widgets.Combobox(
        value=value or "",
        options=offered,
        description=name,
        placeholder=f"{port['kind']}: dataset/name",
        ensure_option=False,
        style=_STYLE,
        layout=_WIDE,
    )


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
