"""Uploads in the browser: begin, send pieces, finish."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from gateway.errors import LimitError
from gateway.service.jobs.uploads import (
    LARGEST_PIECE,
    append,
    begin,
    clean_up,
    find,
    finish,
    list_uploads,
    remove,
    room_of,
)
from gateway.web.rules import GatewayHere, Person

router = APIRouter(prefix="/api/uploads", tags=["uploads"])


class UploadBody(BaseModel):
    """A file that is to be uploaded."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=255)
    size: int = Field(ge=0, le=2**53)


async def piece_of(request: Request, actor: Person) -> bytes:
    """Return the body, read no further than a piece may be long; nobody else's is read at all."""
    del actor
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > LARGEST_PIECE:
            raise LimitError(f"a piece is longer than {LARGEST_PIECE:,} bytes; send smaller ones")
    return bytes(content)


@router.post("", status_code=201)
def begin_upload(gateway: GatewayHere, actor: Person, body: UploadBody) -> dict[str, Any]:
    """Begin an upload, or tell where the unfinished one of that name and size goes on."""
    return begin(gateway, actor, body.name, body.size).to_json()


@router.get("")
def get_uploads(gateway: GatewayHere, actor: Person) -> dict[str, Any]:
    """List one's uploads, and how much room there is."""
    clean_up(gateway)
    found = [upload.to_json() for upload in list_uploads(gateway, actor)]
    return {"uploads": found, "room": dict(room_of(gateway, actor))}


@router.get("/{upload}")
def get_upload(gateway: GatewayHere, actor: Person, upload: str) -> dict[str, Any]:
    """Tell how far an upload is."""
    return find(gateway, actor, upload).to_json()


@router.put(
    "/{upload}",
    openapi_extra={
        "requestBody": {
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
            "required": True,
        }
    },
)
def put_piece(
    gateway: GatewayHere,
    actor: Person,
    upload: str,
    piece: Annotated[bytes, Depends(piece_of)],
    *,
    offset: Annotated[int, Query(ge=0, le=2**53)],
    content_digest: Annotated[str, Header(max_length=200)] = "",
) -> dict[str, Any]:
    """Send the piece that begins at `offset`; its checksum goes into the header Content-Digest."""
    return append(gateway, actor, upload, offset, piece, digest=content_digest).to_json()


@router.post("/{upload}/finish")
def finish_upload(
    gateway: GatewayHere,
    actor: Person,
    upload: str,
    sha256: Annotated[str | None, Body(embed=True, pattern="^[0-9A-Fa-f]{64}$")] = None,
) -> dict[str, Any]:
    """Make the complete file an item of one's inbox `uploads`."""
    return finish(gateway, actor, upload, sha256).to_json()


@router.delete("/{upload}", status_code=204)
def delete_upload(gateway: GatewayHere, actor: Person, upload: str) -> None:
    """Delete an upload, finished or not."""
    remove(gateway, actor, upload)
