"""What requests bring: pictures in forms."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException, Request
from starlette.datastructures import FormData, UploadFile

from homing.serve.http.names import harmless_name

PICTURE, PICTURES = "picture", "pictures"

_FIELDS = 50


@dataclass(frozen=True)
class Upload:
    """A picture that was sent; on disk if it is large.

    Attributes
    ----------
    name : str
        Harmless form of the name it was sent under.
    read : callable
        Gives its bytes.
    """

    name: str
    read: Callable[[], Awaitable[bytes]]

    @classmethod
    def of(cls, data: bytes, name: str = "the picture") -> "Upload":
        """A picture whose bytes are at hand."""

        async def read() -> bytes:
            return data

        return cls(harmless_name(name), read)

    @classmethod
    def of_file(cls, file: UploadFile) -> "Upload":
        """A file of a form; it can be read as long as the form is open."""

        async def read() -> bytes:
            await file.seek(0)
            return await file.read()

        return cls(harmless_name(file.filename), read)


@asynccontextmanager
async def form_of(request: Request, *, pictures: int = 1) -> AsyncIterator[FormData]:
    """Receive a form with up to so many pictures.

    Raises
    ------
    HTTPException
        400 if it is no form, or not a sound one.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise HTTPException(
            415, f"send a form of type multipart/form-data, not {kind[:80] or 'an untyped body'!r}"
        )
    async with request.form(max_files=pictures, max_fields=_FIELDS) as form:
        yield form


def picture_in(form: FormData) -> Upload:
    """The one picture of a form."""
    return pictures_in(form, PICTURE)[0]


def pictures_in(form: FormData, field: str = PICTURES) -> list[Upload]:
    """All pictures of a form, in their order."""
    files = [value for value in form.getlist(field) if isinstance(value, UploadFile)]
    if not files:
        raise HTTPException(422, f"the form has no file in a field {field!r}; send a picture so")
    return [Upload.of_file(file) for file in files]


def form_body(field: str, fields: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """OpenAPI's description of such a form: its file or files, and further fields."""
    file: dict[str, Any] = {"type": "string", "contentMediaType": "application/octet-stream"}
    many = {"type": "array", "items": file, "minItems": 1}
    schema = {
        "type": "object",
        "properties": {field: file if field == PICTURE else many, **(fields or {})},
        "required": [field],
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
