"""The line of Python that reads the same box as a download gives."""

from gateway.service.view.cutouts import Request, parse_box, parse_box_um
from gateway.volumes.box import Box
from gateway.volumes.ref import Ref


def cutout_snippet(
    url: str, ref: Ref, request: Request, *, points: bool = False, timed: bool = False
) -> str:
    """Return a line that reads a box with the Python client; the token is left to be filled in.

    Args:
        url: The address of this service.
        ref: What is read.
        request: The box asked for; its format has no meaning here.
        points: Whether `ref` is a table of points.
        timed: Whether `ref` has several time points, so that an index names one.

    Raises:
        CallError: The box is malformed.
    """
    opened = f'gateway.connect("{url}", token="…").open("{ref}")'
    if points:
        box = "" if request.box_um is None else repr(parse_box_um(request.box_um))
        return f"{opened}.read({box})"
    if request.box_um is not None:
        start, stop = parse_box_um(request.box_um)
        part = f", channel={request.channel}" if request.channel is not None else ""
        part += f", time={request.time}" if timed else ""
        return f"{opened}.read_um({start}, {stop}{part})"
    channel = ":" if request.channel is None else str(request.channel)
    index = [str(request.level)]
    if timed:
        index.append(str(request.time))
    region = ", ".join(_slices(parse_box(request.box))) if request.box else "..."
    return f"{opened}[{', '.join([*index, channel])}, {region}]"


def _slices(box: Box) -> list[str]:
    return [f"{a}:{b}" for a, b in zip(box.start, box.stop, strict=True)]
