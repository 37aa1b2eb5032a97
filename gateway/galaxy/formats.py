"""What the kinds of data are called in Galaxy."""

from gateway.toolkit.spec import PortKind

VOLREF_KINDS: tuple[PortKind, ...] = ("image", "labels", "points", "transform", "tiles")
"""Kinds of things that a history holds by name."""

FILE_FORMATS: dict[str, tuple[str, str]] = {
    ".tif": ("tiff", "TIFF stack (ImageJ, OME)"),
    ".nii.gz": ("nii1.gz", "NIfTI, compressed"),
    ".nrrd": ("nrrd", "NRRD"),
    ".npy": ("npy", "NumPy array"),
    ".csv": ("csv", "table, comma-separated (points)"),
    ".json": ("json", "table, JSON (points)"),
    ".parquet": ("parquet", "table, Parquet (points)"),
    ".h5": ("h5", "HDF5 (points)"),
}
"""End of a file name to Galaxy's datatype and what people call it."""


def datatype(kind: PortKind) -> str:
    """Return the Galaxy datatype of a port: a small file that names a thing of the store."""
    return "data" if kind == "file" else f"volref_{kind}"


INGESTED: dict[str, str] = {
    "tiff": ".tif",
    "ome.tiff": ".ome.tif",
    "nii1": ".nii",
    "nii1.gz": ".nii.gz",
    "nii2": ".nii",
    "nii2.gz": ".nii.gz",
    "nrrd": ".nrrd",
    "npy": ".npy",
    "h5": ".h5",
    "zarr": ".zarr",
    "ome_zarr": ".ome.zarr",
    "csv": ".csv",
    "tabular": ".tsv",
}
"""Galaxy's datatypes that are brought into the store, and the end of a name the gateway knows."""
