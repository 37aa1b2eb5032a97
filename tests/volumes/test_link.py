"""Arrays of other programs are registered where they lie and read as any volume."""

import json
import pickle
import shutil
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorstore as ts
import zarr
from numpy.typing import NDArray

from gateway.errors import CorruptionError, ExistsError, FormatError, NotFoundError
from gateway.volumes.box import Box
from gateway.volumes.dataset import list_entries
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.link import open_link, register
from gateway.volumes.open import entry_of, open_ref
from gateway.volumes.ref import parse_ref
from gateway.volumes.source import Source
from gateway.volumes.store import Store, open_store
from gateway.volumes.volume import Volume

RAW = parse_ref("m1/raw")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "store", create=True)


def _voxels(*shape: int, dtype: str = "uint16") -> NDArray[Any]:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def _write(spec: dict[str, Any], voxels: NDArray[Any]) -> None:
    array = ts.open(spec, create=True, dtype=voxels.dtype, shape=voxels.shape).result()
    array[...] = voxels


def _spec(path: Path, driver: str, **extra: Any) -> dict[str, Any]:
    return {"driver": driver, "kvstore": {"driver": "file", "path": f"{path}/"}, **extra}


def _volume(store: Store, url: object, options: OpenOptions | None = None) -> Volume:
    register(store, RAW, str(url), options)
    volume = open_ref(store, RAW)
    assert isinstance(volume, Volume)
    assert isinstance(volume, Source)
    return volume


def _ome_0_4(path: Path, levels: int = 2) -> list[NDArray[Any]]:
    voxels = [_voxels(2, 8 >> i, 12 >> i, 16 >> i) for i in range(levels)]
    for i, level in enumerate(voxels):
        chunks = {"chunks": [1, 4, 4, 4], "dimension_separator": "/"}
        _write(_spec(path / str(i), "zarr", metadata=chunks), level)
    space = [{"name": n, "type": "space", "unit": "nanometer"} for n in "zyx"]
    datasets = [
        {
            "path": str(i),
            "coordinateTransformations": [
                {"type": "scale", "scale": [1, 2000 << i, 500 << i, 500 << i]},
                {"type": "translation", "translation": [0, 1000 * (2**i - 1), 0, 10_000]},
            ],
        }
        for i in range(levels)
    ]
    axes = [{"name": "c", "type": "channel"}, *space]
    multiscale = {"version": "0.4", "axes": axes, "datasets": datasets}
    shown = [
        {"label": "signal", "color": "00ff00", "window": {"start": 5, "end": 900}},
        {"label": "background", "color": "FF00FF"},
    ]
    attributes = {"multiscales": [multiscale], "omero": {"channels": shown}}
    (path / ".zattrs").write_text(json.dumps(attributes))
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    return voxels


def _precomputed(path: Path) -> NDArray[Any]:
    voxels = _voxels(20, 12, 8, 2)
    info = {
        "multiscale_metadata": {"type": "image", "data_type": "uint16", "num_channels": 2},
        "scale_metadata": {
            "size": [20, 12, 8],
            "voxel_offset": [100, 0, 10],
            "encoding": "raw",
            "chunk_size": [8, 8, 8],
            "resolution": [500, 500, 2000],
        },
    }
    array = ts.open(_spec(path, "neuroglancer_precomputed", **info), create=True).result()
    array[...] = voxels
    return voxels


def test_ome_zarr_0_4_with_levels_units_and_channels(store: Store, tmp_path: Path) -> None:
    voxels = _ome_0_4(tmp_path / "their.zarr")
    volume = _volume(store, tmp_path / "their.zarr")
    info = volume.info
    assert (info.kind, info.dtype, info.shape) == ("image", "uint16", (8, 12, 16))
    assert (info.voxel_um, info.origin_um) == ((2, 0.5, 0.5), (0, 0, 10))
    assert [(c.name, c.colour, c.window) for c in info.channels] == [
        ("signal", "00FF00", (5, 900)),
        ("background", "FF00FF", None),
    ]
    assert [level.factor for level in info.levels] == [(1, 1, 1), (2, 2, 2)]
    assert info.levels[1].voxel_um == (4, 1, 1)
    assert info.levels[1].origin_um == (1, 0, 10)
    assert info.levels[0].chunk == (4, 4, 4)
    np.testing.assert_array_equal(volume[0], voxels[0])
    np.testing.assert_array_equal(volume[1], voxels[1])
    box = Box((1, 2, 3), (5, 6, 7))
    np.testing.assert_array_equal(volume.read(box, channel=1), voxels[0][1, 1:5, 2:6, 3:7])


def test_ome_zarr_0_5_and_its_digest(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "their.zarr"
    voxels = _voxels(8, 12, 16, dtype="uint32")
    _write(_spec(path / "0", "zarr3"), voxels)
    axes = [{"name": n, "type": "space", "unit": "millimeter"} for n in "zyx"]
    step = [{"type": "scale", "scale": [0.002, 0.001, 0.001]}]
    datasets = [{"path": "0", "coordinateTransformations": step}]
    ome = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    attributes = {"ome": ome | {"image-label": {}}, "gateway": {"digest": "blake3:12"}}
    group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    (path / "zarr.json").write_text(json.dumps(group))
    volume = _volume(store, path)
    assert (volume.info.kind, volume.info.digest) == ("labels", "blake3:12")
    assert volume.info.voxel_um == (2, 1, 1)
    assert volume[0].shape == (1, 8, 12, 16)
    np.testing.assert_array_equal(volume[0, 0], voxels)
    assert [(e.kind, e.linked) for e in list_entries(store, "m1")] == [("labels", True)]


@pytest.mark.parametrize(("version", "driver"), [(2, "zarr"), (3, "zarr3")])
def test_a_bare_zarr_array_with_x_first(
    store: Store, tmp_path: Path, version: Any, driver: str
) -> None:
    voxels = _voxels(16, 12, 8, dtype=">u2" if version == 2 else "u2")
    zarr.create_array(tmp_path / "a.zarr", data=voxels, zarr_format=version, chunks=(4, 4, 4))
    volume = _volume(store, tmp_path / "a.zarr", OpenOptions(voxel_um=(1, 1, 1), axes="xyz"))
    assert (volume.info.shape, volume.info.dtype) == ((8, 12, 16), "uint16")
    np.testing.assert_array_equal(volume[0, 0], voxels.T)
    assert volume[0].flags.c_contiguous
    assert json.loads(store.get("m1/raw.link.json"))["arrays"][0]["driver"] == driver


def test_a_time_series_and_a_plane(store: Store, tmp_path: Path) -> None:
    voxels = _voxels(3, 8, 2, 12, 4)
    zarr.create_array(tmp_path / "t.zarr", data=voxels, dimension_names=list("tzcyx"))
    volume = _volume(store, tmp_path / "t.zarr", OpenOptions(voxel_um=(1, 1, 1)))
    assert (volume.info.axes, volume.info.times) == ("tczyx", 3)
    np.testing.assert_array_equal(volume[0], voxels.transpose(0, 2, 1, 3, 4))
    assert volume.read(Box.of_shape((8, 12, 4)), channel=1, time=2).shape == (8, 12, 4)
    zarr.create_array(tmp_path / "p.zarr", data=voxels[0, 0, 0], dimension_names=["y", "x"])
    register(store, parse_ref("m1/p"), str(tmp_path / "p.zarr"), OpenOptions(voxel_um=(9, 1, 1)))
    plane = open_link(store, "m1/p.link.json")
    assert plane.info.shape == (1, 12, 4)
    np.testing.assert_array_equal(plane[0, 0, 0], voxels[0, 0, 0])


def test_n5_levels_count_from_x(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.n5" / "setup0"
    fine, coarse = _voxels(16, 12, 8), _voxels(8, 6, 4)
    for name, voxels, factor in (("s0", fine, [1, 1, 1]), ("s1", coarse, [2, 2, 2])):
        layout = {"compression": {"type": "gzip"}, "blockSize": [4, 4, 4]}
        _write(_spec(path / name, "n5", metadata=layout), voxels)
        file = path / name / "attributes.json"
        said = {"downsamplingFactors": factor}
        if name == "s0":
            said |= {"pixelResolution": {"unit": "nm", "dimensions": [500, 600, 2000]}}  # type: ignore[dict-item]
        file.write_text(json.dumps(json.loads(file.read_text()) | said))
    volume = _volume(store, tmp_path / "a.n5", OpenOptions(dataset="setup0"))
    assert (volume.info.shape, volume.info.voxel_um) == ((8, 12, 16), (2, 0.6, 0.5))
    assert volume.info.levels[1].origin_um == (1, 0.3, 0.25)
    np.testing.assert_array_equal(volume[0, 0], fine.T)
    np.testing.assert_array_equal(volume[1, 0], coarse.T)


def test_precomputed_keeps_its_offset(store: Store, tmp_path: Path) -> None:
    voxels = _precomputed(tmp_path / "p")
    volume = _volume(store, f"precomputed://file://{tmp_path}/p")
    assert (volume.info.shape, len(volume.info.channels)) == ((8, 12, 20), 2)
    assert volume.info.voxel_um == (2, 0.5, 0.5)
    assert volume.info.origin_um == (20, 0, 50)
    np.testing.assert_array_equal(volume[0], voxels.transpose(3, 2, 1, 0))
    assert volume.read_unit == (8, 8, 8)


def test_precomputed_scales_share_a_corner(store: Store, tmp_path: Path) -> None:
    fine, coarse = _voxels(16, 8, 8, 1), _voxels(8, 4, 8, 1)
    whole = {"type": "image", "data_type": "uint16", "num_channels": 1}
    for voxels, resolution in ((fine, [4, 4, 40]), (coarse, [8, 8, 40])):
        scale = {
            "size": voxels.shape[:3],
            "encoding": "raw",
            "chunk_size": [8, 8, 8],
            "resolution": resolution,
        }
        info = {"multiscale_metadata": whole, "scale_metadata": scale}
        spec = _spec(tmp_path / "p", "neuroglancer_precomputed", **info)
        ts.open(spec, create=True).result()[...] = voxels
    volume = _volume(store, tmp_path / "p")
    assert volume.info.levels[1].factor == (1, 2, 2)
    assert volume.info.levels[1].voxel_um == pytest.approx((0.04, 0.008, 0.008))
    assert volume.info.levels[1].origin_um == pytest.approx((0, 0.002, 0.002))
    np.testing.assert_array_equal(volume[1, 0], coarse[..., 0].T)


def test_ome_zarr_0_1_says_neither_axes_nor_scale(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "old.zarr"
    for name, size in (("0", 8), ("1", 4)):
        _write(_spec(path / name, "zarr"), _voxels(1, 2, size, size, size))
    datasets = [{"path": "0"}, {"path": "1"}]
    (path / ".zattrs").write_text(json.dumps({"multiscales": [{"datasets": datasets}]}))
    with pytest.raises(FormatError, match="does not say how large its voxels are"):
        register(store, RAW, str(path))
    volume = _volume(store, path, OpenOptions(voxel_um=(4, 1, 1)))
    assert (len(volume.info.channels), volume.info.times) == (2, 1)
    assert volume.info.levels[1].voxel_um == (8, 2, 2)
    assert volume.info.levels[1].origin_um == (2, 0.5, 0.5)
    assert volume[1].shape == (2, 4, 4, 4)


def test_a_series_is_opened_by_its_number(store: Store, tmp_path: Path) -> None:
    voxels = _ome_0_4(tmp_path / "all.zarr" / "1")
    (tmp_path / "all.zarr" / ".zattrs").write_text('{"bioformats2raw.layout": 3}')
    volume = _volume(store, tmp_path / "all.zarr", OpenOptions(series=1))
    np.testing.assert_array_equal(volume[0], voxels[0])


def test_precomputed_segmentation_is_labels(store: Store, tmp_path: Path) -> None:
    voxels = _voxels(16, 8, 8, 1, dtype="uint64") * np.uint64(2**40)
    scale = {
        "size": [16, 8, 8],
        "encoding": "compressed_segmentation",
        "compressed_segmentation_block_size": [8, 8, 8],
        "chunk_size": [8, 8, 8],
        "resolution": [8, 8, 8],
    }
    whole = {"type": "segmentation", "data_type": "uint64", "num_channels": 1}
    info = {"multiscale_metadata": whole, "scale_metadata": scale}
    ts.open(_spec(tmp_path / "p", "neuroglancer_precomputed", **info), create=True).result()[
        ...
    ] = voxels
    volume = _volume(store, tmp_path / "p")
    assert (volume.info.kind, volume.info.dtype) == ("labels", "uint64")
    np.testing.assert_array_equal(volume[0, 0], voxels[..., 0].T)


def test_a_link_reads_over_http_and_opens_only_metadata(store: Store, web_folder: Any) -> None:
    folder, server = web_folder
    voxels = _ome_0_4(folder / "their.zarr")
    volume = _volume(store, f"{server.url}/their.zarr")
    fetched = {path for _, path in server.asked}
    assert fetched == {
        f"/their.zarr/{name}" for name in ("zarr.json", ".zattrs", "0/.zarray", "1/.zarray")
    }
    np.testing.assert_array_equal(volume[1], voxels[1])
    shutil.rmtree(folder / "their.zarr")


@pytest.mark.s3
def test_a_link_reads_from_a_bucket(store: Store, tmp_path: Path, s3_url: str) -> None:
    voxels = _ome_0_4(tmp_path / "their.zarr")
    bucket = open_store(s3_url)
    for path in (tmp_path / "their.zarr").rglob("*"):
        if path.is_file():
            bucket.put(f"their.zarr/{path.relative_to(tmp_path / 'their.zarr')}", path.read_bytes())
    root, _, query = s3_url.partition("?")
    volume = _volume(store, f"{root}/their.zarr?{query}")
    np.testing.assert_array_equal(volume[0], voxels[0])


def test_a_link_lies_in_a_bucket_too(tmp_path: Path, s3_url: str) -> None:
    voxels = _precomputed(tmp_path / "p")
    volume = _volume(open_store(s3_url), tmp_path / "p")
    again = pickle.loads(pickle.dumps(volume))  # noqa: S301 - our own bytes
    np.testing.assert_array_equal(again[0], voxels.transpose(3, 2, 1, 0))


def test_many_thousand_objects_register_at_once(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "many.zarr"
    _ome_0_4(path)
    (path / "0" / ".zarray").write_text(
        (path / "0" / ".zarray").read_text().replace("[2,8,12,16]", "[2,400,400,400]")
    )
    for z in range(40):
        folder = path / "0" / "0" / str(z) / "0"
        folder.mkdir(parents=True, exist_ok=True)
        for x in range(250):
            (folder / str(x)).write_bytes(b"")
    start = time.perf_counter()
    volume = _volume(store, path)
    assert time.perf_counter() - start < 5
    assert volume.info.shape == (400, 400, 400)


@pytest.mark.slow
def test_a_quarter_million_objects_register_in_seconds(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "huge.zarr"
    _ome_0_4(path)
    layout = (path / "0" / ".zarray").read_text()
    (path / "0" / ".zarray").write_text(layout.replace("[2,8,12,16]", "[2,256,2072,2048]"))
    made = 0
    for z, y in product(range(64), range(518)):
        folder = path / "0" / "0" / str(z) / str(y)
        folder.mkdir(parents=True, exist_ok=True)
        for x in range(min(8, 265_165 - made)):
            (folder / str(x)).touch()
            made += 1
    assert made == 265_165
    start = time.perf_counter()
    volume = _volume(store, path)
    assert time.perf_counter() - start < 10
    assert volume.info.shape == (256, 2072, 2048)


def test_a_source_that_changed_is_noticed(store: Store, tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=_voxels(4, 4, 4))
    volume = _volume(store, tmp_path / "a.zarr", OpenOptions(voxel_um=(1, 1, 1)))
    zarr.create_array(tmp_path / "a.zarr", data=_voxels(4, 4, 5), overwrite=True)
    with pytest.raises(CorruptionError, match=r"has shape \(4, 4, 5\), but had \(4, 4, 4\)"):
        volume[0]
    shutil.rmtree(tmp_path / "a.zarr")
    with pytest.raises(NotFoundError, match="does not exist"):
        open_link(store, "m1/raw.link.json")[0]


def test_other_dtypes_are_cast_only_where_exact(store: Store, tmp_path: Path) -> None:
    labels = _voxels(4, 4, 4, dtype="uint8")
    zarr.create_array(tmp_path / "a.zarr", data=labels)
    volume = _volume(store, tmp_path / "a.zarr", OpenOptions(voxel_um=(1, 1, 1), kind="labels"))
    assert (volume.info.kind, volume[0].dtype) == ("labels", np.uint32)
    np.testing.assert_array_equal(volume[0, 0], labels)
    zarr.create_array(tmp_path / "b.zarr", data=_voxels(4, 4, 4, dtype="complex64"))
    with pytest.raises(FormatError, match="complex64"):
        register(store, parse_ref("m1/b"), str(tmp_path / "b.zarr"))


def test_what_cannot_be_told_is_asked_for(store: Store, tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=_voxels(4, 4, 4))
    with pytest.raises(FormatError, match="does not say how large its voxels are"):
        register(store, RAW, str(tmp_path / "a.zarr"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match=r"nothing at .*empty is known; expected the root of an"):
        register(store, RAW, str(tmp_path / "empty"))
    (tmp_path / "empty" / ".zattrs").write_text('{"bioformats2raw.layout": 3}')
    with pytest.raises(FormatError, match="holds a series of images; choose one with --series"):
        register(store, RAW, str(tmp_path / "empty"))
    (tmp_path / "empty" / ".zattrs").write_text('{"multiscales": [{"datasets": [{}]}]}')
    with pytest.raises(FormatError, match=r"metadata of .* are incomplete: KeyError"):
        register(store, RAW, str(tmp_path / "empty"))
    with pytest.raises(NotFoundError, match="does not exist"):
        register(store, RAW, str(tmp_path / "none"))
    assert not store.exists("m1")


def test_a_name_is_taken_once(store: Store, tmp_path: Path) -> None:
    _precomputed(tmp_path / "p")
    _volume(store, tmp_path / "p")
    with pytest.raises(ExistsError, match=r"m1/raw already exists \(m1/raw\.link\.json\)"):
        register(store, RAW, str(tmp_path / "p"))


def test_a_broken_link_is_named(store: Store) -> None:
    store.put("m1/raw.link.json", b'{"gateway_link": 1}')
    with pytest.raises(FormatError, match=r"m1/raw\.link\.json in .* is no link: kind Field req"):
        open_ref(store, RAW)


def test_a_name_that_is_not_there_is_helped(store: Store) -> None:
    with pytest.raises(NotFoundError, match=r"there is no m1/raw in .*; the store is empty"):
        entry_of(store, RAW)
    store.put("m1/row.points.parquet", b"")
    with pytest.raises(NotFoundError, match=r"did you mean m1/row\?"):
        entry_of(store, RAW)
    with pytest.raises(NotFoundError, match="m1 has row"):
        entry_of(store, parse_ref("m1/nuclei"))
    with pytest.raises(NotFoundError, match="no dataset 'm2'"):
        entry_of(store, parse_ref("m2/raw"))
    store.put("m1/brain.mesh/info", b"{}")
    with pytest.raises(FormatError, match=r"m1/brain is a mesh .* read by viewers only"):
        open_ref(store, parse_ref("m1/brain"))
