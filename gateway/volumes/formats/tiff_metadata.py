"""What TIFF files say about voxel size, channels and stage: OME-XML, ImageJ, LSM, tifffile."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.volumes.box import Vector
from gateway.volumes.formats.metadata import to_um
from gateway.volumes.model import Channel

_RGB = 0xFFFFFF
Said = tuple[float | None, float | None, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TiffMetadata:
    """What the file says; silent where it does not."""

    voxel_um: Said = (None, None, None)
    """Zyx."""
    origin_um: Vector = (0.0, 0.0, 0.0)
    channels: tuple[Channel, ...] = ()
    time_step_s: float | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    """`stage_um`: position of the first plane, zyx, where OME-XML has it."""


def read_metadata(tiff: Any, series: Any, number: int) -> TiffMetadata:
    """Read what an open `tifffile.TiffFile` says about one series."""
    if series.kind == "ome" and tiff.ome_metadata:
        return _ome(tiff.ome_metadata, number)
    if tiff.is_lsm and tiff.lsm_metadata:
        return _lsm(tiff.lsm_metadata)
    if series.kind == "imagej" and tiff.imagej_metadata:
        return _imagej(tiff.imagej_metadata, series.keyframe)
    if series.kind == "shaped" and tiff.shaped_metadata:
        return _imagej(tiff.shaped_metadata[0], series.keyframe)
    return TiffMetadata()


def _many(item: Any) -> list[Any]:
    if item is None:
        return []
    return item if isinstance(item, list) else [item]


def _ome(xml: str, number: int) -> TiffMetadata:
    import tifffile

    images = _many(tifffile.xml2dict(xml).get("OME", {}).get("Image"))
    if number >= len(images):
        return TiffMetadata()
    pixels = images[number].get("Pixels", {})
    size = [
        to_um(float(pixels[f"PhysicalSize{a}"]), pixels.get(f"PhysicalSize{a}Unit", "um"))
        if f"PhysicalSize{a}" in pixels
        else None
        for a in "ZYX"
    ]
    channels = tuple(
        Channel(name=str(c.get("Name", i)), colour=_ome_colour(c.get("Color", -1)))
        for i, c in enumerate(_many(pixels.get("Channel")))
    )
    step = pixels.get("TimeIncrement")
    details: dict[str, object] = {"image": images[number].get("Name", "")}
    planes = _many(pixels.get("Plane"))
    stage = _stage(planes)
    if stage is not None:
        details["stage_um"] = stage
    in_um = stage is not None and all(f"Position{a}Unit" in planes[0] for a in "ZYX")
    return TiffMetadata(
        voxel_um=(size[0], size[1], size[2]),
        origin_um=stage if stage is not None and in_um else (0.0, 0.0, 0.0),
        channels=channels,
        time_step_s=float(step) if step is not None else None,
        details=details,
    )


def _ome_colour(value: int) -> str:
    # OME stores a signed 32-bit RGBA number
    return f"{(int(value) >> 8) & _RGB:06X}"


def _stage(planes: Iterable[Mapping[str, Any]]) -> tuple[float, float, float] | None:
    """Smallest stage position over the planes, zyx in micrometres; None where there is none."""
    found: list[tuple[float, float, float]] = []
    for plane in planes:
        if "PositionX" not in plane or "PositionY" not in plane:
            continue
        at = [_position(plane, a) for a in "ZYX"]
        found.append((at[0], at[1], at[2]))
    return min(found) if found else None


def _position(plane: Mapping[str, Any], axis: str) -> float:
    value = float(plane.get(f"Position{axis}", 0.0))
    unit = plane.get(f"Position{axis}Unit", "um")
    length = to_um(abs(value), unit)
    # "reference frame", the schema's default unit, has no length: most writers mean micrometres
    return value if length is None else (length if value >= 0 else -length)


def _lsm(said: Mapping[str, Any]) -> TiffMetadata:
    size = [to_um(float(said.get(f"VoxelSize{a}", 0)), "m") for a in "ZYX"]
    return TiffMetadata(voxel_um=(size[0], size[1], size[2]))


def _imagej(said: Mapping[str, Any], page: Any) -> TiffMetadata:
    unit = said.get("unit")
    z = to_um(float(said["spacing"]), unit) if said.get("spacing") else None
    yx = [_per_pixel(page, tag, said.get(f"{a}unit") or unit) for tag, a in
          (("YResolution", "y"), ("XResolution", "x"))]  # fmt: skip
    ranges = said.get("Ranges") or ()
    names = said.get("Labels") if said.get("channels", 1) == len(said.get("Labels") or ()) else None
    count = len(ranges) // 2
    channels = tuple(
        Channel(
            name=str(names[i]) if names else str(i),
            window=(float(ranges[2 * i]), float(ranges[2 * i + 1])),
        )
        for i in range(count)
    )
    step = said.get("finterval")
    # ImageJ keeps the pixel that lies at the world's origin
    origin = [
        -float(said.get(f"{a}origin", 0.0)) * (size or 0.0) or 0.0
        for a, size in zip("zyx", (z, *yx), strict=True)
    ]
    return TiffMetadata(
        voxel_um=(z, yx[0], yx[1]),
        origin_um=(origin[0], origin[1], origin[2]),
        channels=channels,
        time_step_s=float(step) if step else None,
    )


def _per_pixel(page: Any, tag: str, unit: str | None) -> float | None:
    found = page.tags.get(tag)
    if found is None or not unit:
        return None
    pixels, units = found.value
    return to_um(units / pixels, unit) if pixels else None
