"""Pictures for people: projections, rings around nuclei, seams in two colours. PNG bytes out.

matplotlib and pillow load when the first picture is drawn, never before.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LONG_SIDE = 1500
"""Pixels that the longer side of a picture has at most, so that a report stays a few MB."""
_RING_COLOURS = "plasma"
_COLOURS_KEPT = 200
_ALMOST_GREY = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Rings:
    """Circles to draw on a picture."""

    centres: NDArray[Any]
    """Rows yx, in pixels of the picture's array."""
    radius: float
    values: NDArray[Any]
    """What decides the colour of each, such as depth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleBar:
    """A bar of known length in the lower right corner."""

    pixels: float
    label: str


def choose_window(image: NDArray[Any]) -> tuple[float, float]:
    """Return the intensities to show as black and white: percentiles 1 and 99.7."""
    low, high = np.percentile(image, (1.0, 99.7))
    return float(low), float(max(high, low + 1e-6))


def choose_scale_bar(width: int, pixel_um: float) -> ScaleBar:
    """Return a bar of 1, 2 or 5 times a power of ten micrometres, about a fifth of `width`."""
    wanted = width * pixel_um / 5
    power = 10.0 ** np.floor(np.log10(wanted))
    length = max(step * power for step in (1, 2, 5) if step * power <= wanted)
    return ScaleBar(pixels=length / pixel_um, label=f"{length:g} µm")


def draw_image(
    image: NDArray[Any],
    *,
    window: tuple[float, float],
    rings: Rings | None = None,
    scale_bar: ScaleBar | None = None,
    width: int = _LONG_SIDE,
) -> bytes:
    """Draw a plane in grey, with rings and a scale bar on it.

    Args:
        image: Intensities, yx.
        window: Intensities shown as black and as white.
        rings: What to encircle.
        scale_bar: What to measure by.
        width: Pixels of the longer side of the picture.

    Returns:
        A PNG of few colours.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height, across = image.shape
    zoom = width / max(height, across)
    figure = Figure(figsize=(across * zoom / 100, height * zoom / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    smooth = "nearest" if zoom > 1 else "antialiased"
    axes.imshow(image, cmap="gray", vmin=window[0], vmax=window[1], interpolation=smooth)
    if rings is not None and len(rings.centres):
        _add_rings(axes, rings, line=max(0.6, 1.1 * width / _LONG_SIDE))
    if scale_bar is not None:
        _add_scale_bar(axes, scale_bar, (height, across), zoom)
    axes.set_xlim(-0.5, across - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return _encode(np.asarray(canvas.buffer_rgba())[..., :3])


def draw_overlay(
    first: NDArray[Any], second: NDArray[Any], *, window: tuple[float, float], zoom: int = 3
) -> bytes:
    """Draw two views of one place, magenta and green: grey where they agree.

    Args:
        first: Intensities, yx.
        second: Intensities of the same shape.
        window: Intensities shown as black and as full colour.
        zoom: Pixels of the picture per pixel of the arrays.
    """
    magenta, green = (scale_to_bytes(view, window) for view in (first, second))
    pixels = np.stack([magenta, green, magenta], axis=-1)
    return _encode(np.repeat(np.repeat(pixels, zoom, axis=0), zoom, axis=1))


def draw_labels(
    image: NDArray[Any], labels: NDArray[Any], *, window: tuple[float, float], zoom: int = 5
) -> bytes:
    """Draw a plane in grey with the outline of each label in a colour of its own.

    Args:
        image: Intensities, yx.
        labels: Label of each pixel, 0 for none, of the same shape.
        window: Intensities shown as black and as white.
        zoom: Pixels of the picture per pixel of the arrays.
    """
    from matplotlib import colormaps

    grey = np.kron(scale_to_bytes(image, window), np.ones((zoom, zoom), np.uint8))
    large = np.kron(labels, np.ones((zoom, zoom), labels.dtype))
    edge = np.zeros(large.shape, bool)
    edge[:-1] |= large[:-1] != large[1:]
    edge[1:] |= large[1:] != large[:-1]
    edge[:, :-1] |= large[:, :-1] != large[:, 1:]
    edge[:, 1:] |= large[:, 1:] != large[:, :-1]
    edge &= large > 0
    # neighbours have near labels: a large odd factor gives them far colours
    hues = colormaps["hsv"]((large[edge] * 2654435761 % 97) / 97.0)[:, :3]
    pixels = np.repeat(grey[..., None], 3, axis=-1)
    pixels[edge] = np.rint(55 + 200 * hues).astype(np.uint8)
    return _encode(pixels)


def scale_to_bytes(image: NDArray[Any], window: tuple[float, float]) -> NDArray[np.uint8]:
    """Return `image` as grey values, `window` becoming 0 to 255."""
    low, high = window
    share = (image.astype(np.float32) - low) / max(high - low, 1e-6)
    return np.asarray(np.rint(np.clip(share, 0, 1) * 255), np.uint8)


def _add_rings(axes: Any, rings: Rings, *, line: float) -> None:
    from matplotlib.collections import EllipseCollection

    diameters = np.full(len(rings.centres), 2 * rings.radius)
    circles = EllipseCollection(
        diameters,
        diameters,
        np.zeros_like(diameters),
        units="xy",
        offsets=rings.centres[:, ::-1],
        offset_transform=axes.transData,
        facecolors="none",
        linewidths=line,
        array=rings.values,
        cmap=_RING_COLOURS,
    )
    # the dark end of the map is lost on black
    low, high = float(rings.values.min()), float(rings.values.max())
    circles.set_clim(low - 0.35 * (high - low) - 1e-9, high + 1e-9)
    circles.set_facecolor("none")
    circles.update_scalarmappable()
    axes.add_collection(circles)


def _add_scale_bar(axes: Any, bar: ScaleBar, shape: tuple[int, int], zoom: float) -> None:
    height, across = shape
    inset = 24 / zoom
    right, below = across - inset, height - inset
    axes.plot(
        [right - bar.pixels, right], [below, below], color="white", lw=4, solid_capstyle="butt"
    )
    axes.text(
        right - bar.pixels / 2,
        below - 10 / zoom,
        bar.label,
        color="white",
        ha="center",
        va="bottom",
        fontsize=13,
        fontweight="bold",
    )


def _encode(pixels: NDArray[Any]) -> bytes:
    """Return a PNG: grey where there is no colour, else of few colours, so that it stays small."""
    from PIL import Image

    red, green, blue = (pixels[..., band] for band in range(3))
    picture = Image.fromarray(np.ascontiguousarray(pixels, np.uint8))
    if (red == green).all() and (green == blue).all():
        small = picture.convert("L")
    else:
        small = picture.quantize(_COLOURS_KEPT, dither=Image.Dither.NONE)
        palette = np.array(small.getpalette()).reshape(-1, 3)
        # median cut tints the greys: what is almost grey is grey
        flat = np.ptp(palette, axis=1) < _ALMOST_GREY
        palette[flat] = np.rint(palette[flat].mean(axis=1, keepdims=True))
        small.putpalette(palette.ravel().tolist())
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
