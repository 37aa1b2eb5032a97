"""Tile grids: microscope tiles with their nominal places, copied into a store or left in place."""

import json
import tempfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blake3 import blake3
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from gateway.errors import CorruptionError, FormatError, NotFoundError
from gateway.volumes.box import Shape, Vector
from gateway.volumes.checksums import checksum_file
from gateway.volumes.formats.cache import CachedSource, DecodedCache
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.formats.metadata import check_voxel_um
from gateway.volumes.formats.raw import InputFile
from gateway.volumes.formats.registry import open_source
from gateway.volumes.keys import join_key
from gateway.volumes.model import Channel
from gateway.volumes.source import Source
from gateway.volumes.store import Store

TILES_FILE = "tiles.json"
_CACHE_BYTES = 128_000_000
_MOST_OPEN = 64
"""Tiles whose files are open at once."""


class InPlace(BaseModel):
    """Where a tile lies that was registered without copying, and how it was then."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    """Absolute."""
    mtime_ns: int


class Tile(BaseModel):
    """One tile of a grid."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(min_length=1)
    """Name of the file, without folders."""
    nominal_voxels: Vector
    """Where the microscope says voxel (0, 0, 0) lies, zyx, in voxels."""
    shape: Shape
    checksum: str = Field(pattern="^blake3:[0-9a-f]{64}$")
    """Of the file's bytes."""
    bytes: int
    in_place: InPlace | None = None
    extra: Mapping[str, float | str] = {}
    """Other columns of the positions file, such as `true_z`."""

    @field_validator("file")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if value in {".", ".."} or "/" in value or "\\" in value or not value.isprintable():
            raise ValueError("a tile is named by its file name, without folders")
        return value


class TileGridInfo(BaseModel):
    """What `tiles.json` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tiles: tuple[Tile, ...] = Field(min_length=1)
    voxel_um: Vector
    dtype: str
    channels: tuple[Channel, ...] = Field(min_length=1)
    as_dtype: str | None = None
    axes: str | None = None
    series: int | None = None
    """How the files are to be read, where they do not say; see `OpenOptions`."""
    made_by: str | None = None

    @property
    def digest(self) -> str:
        """`blake3:…` over content and nominal places; the same in place and copied."""
        content = self.model_dump(mode="json", exclude={"made_by"})
        for tile in content["tiles"]:
            del tile["in_place"]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return f"blake3:{blake3(text.encode()).hexdigest()}"


class TileGrid:
    """A grid of tiles in a store; tiles are read as sources."""

    def __init__(
        self, store: Store, key: str, info: TileGridInfo, *, cache_bytes: int = _CACHE_BYTES
    ) -> None:
        """Make the handle; `open_tiles` reads the metadata for it."""
        self._store = store
        self._key = key
        self._info = info
        self._cache = DecodedCache(cache_bytes)
        self._cache_bytes = cache_bytes
        self._open: OrderedDict[int, Source] = OrderedDict()

    @property
    def info(self) -> TileGridInfo:
        """All that `tiles.json` says."""
        return self._info

    @property
    def key(self) -> str:
        """Where it lies in its store."""
        return self._key

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The tiles in their recorded order."""
        return self._info.tiles

    @property
    def voxel_um(self) -> Vector:
        """Voxel size, zyx."""
        return self._info.voxel_um

    @property
    def dtype(self) -> str:
        """Dtype of all tiles."""
        return self._info.dtype

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Channels of all tiles."""
        return self._info.channels

    @property
    def digest(self) -> str:
        """`blake3:…` over content and nominal places."""
        return self._info.digest

    @property
    def made_by(self) -> str | None:
        """Id of the run that ingested it."""
        return self._info.made_by

    def source(self, index: int) -> Source:
        """Return tile `index` for reading; what is decoded is kept in one bounded cache.

        Raises:
            NotFoundError: A tile registered in place is gone.
            CorruptionError: It is not the file that was registered.
            FormatError: The file cannot be read.
        """
        if index not in self._open:
            path = self.path(index)
            source = open_source(path, self._options())
            tile = self.tiles[index]
            if source.info.shape != tile.shape or source.info.dtype != self.dtype:
                raise CorruptionError(
                    f"tile {tile.file} of {self._key} is {source.info.shape} {source.info.dtype}; "
                    f"{tile.shape} {self.dtype} was recorded"
                )
            self._open[index] = CachedSource(source, self._cache, index)
            if len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)
        self._open.move_to_end(index)
        return self._open[index]

    def path(self, index: int) -> Path:
        """Return a local file with the bytes of tile `index`; errors as `source`."""
        tile = self.tiles[index]
        if tile.in_place is not None:
            return _registered(tile, tile.in_place, self._key)
        key = join_key(self._key, tile.file)
        local = self._store.local_path(key)
        if local is not None:
            if not local.is_file():
                raise NotFoundError(f"tile {key} is gone from the store {self._store.url}")
            return local
        return _fetch(self._store, key, tile)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as store, key and metadata; files are opened again where it arrives."""
        return (TileGrid, (self._store, self._key, self._info))

    def _options(self) -> OpenOptions:
        info = self._info
        return OpenOptions(
            voxel_um=info.voxel_um,
            channel_names=tuple(c.name for c in info.channels),
            as_dtype=info.as_dtype,
            axes=info.axes,
            series=info.series,
            kind="image",
            checked=True,
        )


def open_tiles(store: Store, key: str, *, cache_bytes: int = _CACHE_BYTES) -> TileGrid:
    """Open a tile grid.

    Args:
        store: Where it lies.
        key: Its folder, e.g. `mouse1/raw.tiles`.
        cache_bytes: Decoded voxels kept between reads of compressed tiles.

    Raises:
        NotFoundError: There is no tile grid of that key.
        FormatError: Its `tiles.json` is broken.
    """
    try:
        content = store.get(join_key(key, TILES_FILE))
    except NotFoundError as error:
        raise NotFoundError(f"there is no tile grid at {key} in {store.url}") from error
    try:
        info = TileGridInfo.model_validate_json(content)
    except ValidationError as error:
        raise FormatError(f"{key}/{TILES_FILE} in {store.url} is broken: {error}") from error
    return TileGrid(store, key, info, cache_bytes=cache_bytes)


def write_tiles(store: Store, key: str, info: TileGridInfo) -> str:
    """Write `tiles.json`, which makes the folder a tile grid, and return its digest.

    Raises:
        FormatError: Two tiles have one name, or the voxel size is not possible.
    """
    names = [tile.file for tile in info.tiles]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise FormatError(f"{key}: two tiles are named {', '.join(doubled)}; names must differ")
    check_voxel_um(info.voxel_um)
    store.put(join_key(key, TILES_FILE), f"{info.model_dump_json(indent=1)}\n".encode())
    return info.digest


def _registered(tile: Tile, place: InPlace, key: str) -> Path:
    path = Path(place.path)
    try:
        stat = path.stat()
    except OSError as error:
        raise NotFoundError(
            f"tile {tile.file} of {key} was registered in place at {path}, which cannot be "
            f"reached now ({error.strerror}); bring it back, or ingest again without --in-place"
        ) from error
    if stat.st_size == tile.bytes and (
        stat.st_mtime_ns == place.mtime_ns or checksum_file(path) == tile.checksum
    ):
        return path
    raise CorruptionError(
        f"tile {tile.file} of {key}: {path} changed since it was registered ({stat.st_size} bytes, "
        f"{tile.bytes} then); restore the file, or ingest the grid again under another name"
    )


def _fetch(store: Store, key: str, tile: Tile) -> Path:
    """Copy a tile of a remote store to a temporary folder of this process, once."""
    folder = Path(tempfile.gettempdir()) / "gateway-tiles"
    path = folder / tile.checksum.removeprefix("blake3:") / tile.file
    if path.is_file() and InputFile(path).size == tile.bytes:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as out:
        out.write(store.get(key))
    Path(out.name).replace(path)
    return path
