"""TensorStore, the engine that moves voxels: how arrays are opened and its errors told apart."""

from dataclasses import dataclass
from typing import Any

import tensorstore as ts
from numpy.typing import NDArray

from gateway.errors import CorruptionError, GatewayError, NotFoundError, StoreError
from gateway.volumes.store import Store

_FULL = ("RESOURCE_EXHAUSTED", "No space left", "Disk quota")
_FROM_SYSTEM = "os_error_code"
_CORRUPT = ("DATA_LOSS", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE")


@dataclass(frozen=True, slots=True, kw_only=True)
class IoLimits:
    """What reading and writing may use of the machine."""

    threads: int | None = None
    """Threads that encode and decode; None takes one per core, shared by the process."""
    requests: int | None = None
    """Files or objects in flight; None takes TensorStore's default."""
    cache_bytes: int = 0
    """Decoded chunks kept between reads; 0 keeps none, so memory is what one call needs."""

    def context(self) -> ts.Context:
        """Return the TensorStore context that keeps to these limits."""
        shared = "shared"
        requests = {"limit": self.requests or shared}
        return ts.Context(
            {
                "cache_pool": {"total_bytes_limit": self.cache_bytes},
                "data_copy_concurrency": {"limit": self.threads or shared},
                "file_io_concurrency": requests,
                "s3_request_concurrency": requests,
                "http_request_concurrency": requests,
            }
        )


def open_array(store: Store, key: str, context: ts.Context, *, write: bool = False) -> Any:
    """Open the Zarr v3 array at `key` as a TensorStore.

    Raises:
        NotFoundError: There is no array.
        StoreError: The storage failed.
        CorruptionError: The metadata of the array is broken.
    """
    spec = {"driver": "zarr3", "kvstore": store.kvstore(key)}
    try:
        return ts.open(spec, context=context, open=True, read=True, write=write).result()
    except Exception as error:
        raise explain_error(error, f"array {key} in {store.url}") from error


def read_array(array: Any, what: str) -> NDArray[Any]:
    """Read a TensorStore view into a C-contiguous array.

    Args:
        array: The view to read.
        what: Name of what is read, for the message of an error.

    Raises:
        CorruptionError: A chunk cannot be decoded.
        StoreError: The storage failed.
    """
    try:
        voxels: NDArray[Any] = array.read(order="C").result()
    except Exception as error:
        raise explain_error(error, what) from error
    return voxels


def explain_error(error: Exception, what: str) -> GatewayError:
    """Return the error of our family that says what TensorStore met."""
    reason = _reason(error)
    if isinstance(error, FileNotFoundError | KeyError) or "NOT_FOUND" in reason:
        return NotFoundError(f"there is no {what}: {reason}")
    if any(mark in reason for mark in _FULL):
        return StoreError(
            f"no space left to write {what} ({reason}); "
            "free some space, then run the same command to continue"
        )
    if _FROM_SYSTEM not in str(error) and any(mark in reason for mark in _CORRUPT):
        return CorruptionError(
            f"{what} cannot be decoded: {reason}; "
            "its content differs from what was written: restore the file or make the volume again"
        )
    return StoreError(
        f"the storage failed at {what}: {reason}; check the disk or the network, then try again"
    )


def _reason(error: Exception) -> str:
    """Keep the sentence of a TensorStore error, without its source locations."""
    return str(error).split(" [", maxsplit=1)[0].strip() or type(error).__name__
