"""Uploads: the pictures that a request's form holds."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from homing.serve.http.names import harmless_name

PICTURE, PICTURES = "picture", "pictures"

_FIELDS = 50
_JSON = 1 << 18  # bytes

Form = TypeVar("Form", bound=BaseModel)


@dataclass(frozen=True)
class Upload:
    """A picture that was sent; on disk if it is large."""

    name: str  # made harmless
    read: Callable[[], Awaitable[bytes]]

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the picture") -> "Upload":
        """Return the upload of a file's bytes."""

        async def read() -> bytes:
            return data

        return cls(harmless_name(name), read)

    @classmethod
    def from_file(cls, file: UploadFile) -> "Upload":
        """Return the upload of a form's file; it can be read while the form is open."""

        async def read() -> bytes:
            await file.seek(0)
            return await file.read()

        return cls(harmless_name(file.filename), read)


def media_type_of(request: Request) -> str:
    """Return the type of a request's body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def receive_json(request: Request) -> bytes:
    """Receive a small body; HTTP 413 if it is none."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _JSON:
            raise HTTPException(413, f"a body of JSON has at most {_JSON} bytes; send less")
    return bytes(body)


@asynccontextmanager
async def receive_form(request: Request, *, pictures: int = 1) -> AsyncIterator[FormData]:
    """Receive a form with at most `pictures` files; HTTP 400 or 415 if it is none."""
    media_type = media_type_of(request)
    if media_type != "multipart/form-data":
        sent = media_type[:80] or "an untyped body"
        raise HTTPException(415, f"send a form of type multipart/form-data, not {sent!r}")
    async with request.form(max_files=pictures, max_fields=_FIELDS) as form:
        yield form


def picture_in(form: FormData) -> Upload:
    """Return the one picture of a form."""
    return pictures_in(form, PICTURE)[0]


def pictures_in(form: FormData, field: str = PICTURES) -> list[Upload]:
    """Return all pictures of a form, in their order."""
    files = [value for value in form.getlist(field) if isinstance(value, UploadFile)]
    if not files:
        raise HTTPException(422, f"the form has no file in a field {field!r}; send a picture there")
    return [Upload.from_file(file) for file in files]


def form_body(field: str, fields: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """Return OpenAPI's description of a form with a picture or pictures, and further fields."""
    file: dict[str, Any] = {"type": "string", "contentMediaType": "application/octet-stream"}
    many = {"type": "array", "items": file, "minItems": 1}
    schema = {
        "type": "object",
        "properties": {field: file if field == PICTURE else many, **(fields or {})},
        "required": [field],
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def form_fields(model: type[BaseModel]) -> dict[str, Any]:
    """Return OpenAPI's description of a form's fields."""
    properties: dict[str, Any] = model.model_json_schema()["properties"]
    return properties


def parse_fields(model: type[Form], form: FormData) -> Form:
    """Check the fields of a form that are no files."""
    values = {key: value for key, value in form.multi_items() if isinstance(value, str)}
    try:
        return model.model_validate({key: value for key, value in values.items() if value != ""})
    except ValidationError as error:
        problems: Any = error.errors(include_url=False, include_input=False)
        text = "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in problems)
        raise HTTPException(422, text) from error
