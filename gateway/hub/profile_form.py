"""Draws the form in which a person chooses image, size and GPU."""

from html import escape

from gateway.hub.profiles import Offer, gpu_title

_SELECT = """<div class="mb-3"><label for="{name}" class="form-label">{label}</label>
<select id="{name}" name="{name}" class="form-select">{options}</select></div>"""


def draw_form(offered: Offer) -> str:
    """Return the inside of the form; an empty text where there is nothing to choose."""
    parts: list[tuple[str, str, list[tuple[str, str]]]] = [
        ("image", "Image", [(image.key, image.key) for image in offered.images]),
        ("size", "Size", [(size.key, size.title) for size in offered.sizes]),
        ("gpu", "GPU", [(gpu, gpu_title(gpu)) for gpu in offered.gpus]),
    ]
    return "\n".join(
        _SELECT.format(name=name, label=label, options=_options(choices))
        for name, label, choices in parts
        if len(choices) > 1
    )


def _options(choices: list[tuple[str, str]]) -> str:
    return "".join(f'<option value="{escape(v)}">{escape(text)}</option>' for v, text in choices)
