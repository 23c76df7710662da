"""The API's description as plain values, which the page of reference shows."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
Parts = tuple[tuple[str, bool], ...]  # words of a type, and whether each names a model

_FORM = "multipart/form-data"
_BYTES = "application/octet-stream"
_SENT = {
    "picture": "-F picture=@picture.jpg",
    "pictures": "-F pictures=@a.jpg -F pictures=@b.jpg",
}


@dataclass(frozen=True)
class Field:
    """A parameter, a field of a form or of an answer."""

    name: str
    kind: Parts
    note: str  # what else is said of it in a word or two
    text: str


@dataclass(frozen=True)
class Content:
    """A body that is sent or answered, of one media type."""

    media: str
    kind: Parts
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True)
class Reply:
    """The meaning of a status."""

    status: str
    text: str
    contents: tuple[Content, ...]


@dataclass(frozen=True)
class Operation:
    """One thing that the API does."""

    id: str
    method: str
    path: str
    summary: str
    text: str
    right: str | None  # None: no key needed
    parameters: tuple[Field, ...]
    bodies: tuple[Content, ...]
    replies: tuple[Reply, ...]  # of success
    refusals: tuple[Reply, ...]
    options: str  # of a curl command
    target: str  # of one, from the path on


@dataclass(frozen=True)
class Group:
    """The operations on one subject."""

    name: str
    text: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Model:
    """An object that answers hold."""

    name: str
    text: str
    fields: tuple[Field, ...]


def groups_of(document: Schema) -> tuple[Group, ...]:
    """Return the operations of a description by subject, in its order."""
    by_tag: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, values in methods.items():
            by_tag.setdefault(values["tags"][0], []).append(_operation(method, path, values))
    return tuple(
        Group(tag["name"], tag["description"], tuple(by_tag[tag["name"]]))
        for tag in document["tags"]
    )


def models_of(document: Schema) -> tuple[Model, ...]:
    """Return the models of a description, by name."""
    schemas = document["components"]["schemas"]
    return tuple(
        Model(name, schema.get("description", ""), tuple(_answered(schema)))
        for name, schema in sorted(schemas.items())
    )


def kind_of(schema: Schema) -> Parts:
    """Return a schema's type in words."""
    if "$ref" in schema:
        return ((schema["$ref"].rpartition("/")[2], True),)
    if "anyOf" in schema:
        parts: list[tuple[str, bool]] = []
        for each in schema["anyOf"]:
            parts += ([(" or ", False)] if parts else []) + list(kind_of(each))
        return tuple(parts)
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ((", ".join(map(json.dumps, values)), False),)
    if schema.get("contentMediaType") == _BYTES:
        return (("file", False),)
    if schema.get("type") == "array":
        return (("list of ", False), *kind_of(schema.get("items", {})))
    if isinstance(schema.get("additionalProperties"), Mapping):
        return (("by name, ", False), *kind_of(schema["additionalProperties"]))
    return ((_word_of(schema), False),)


def _word_of(schema: Schema) -> str:
    if schema.get("format") == "date-time":
        return "date and time"
    return str(schema.get("type") or schema.get("title") or "anything")


def _operation(method: str, path: str, values: Schema) -> Operation:
    bodies = tuple(_contents(values.get("requestBody", {})))
    replies = [
        Reply(status, reply["description"], tuple(_contents(reply)))
        for status, reply in sorted(values["responses"].items())
    ]
    rights = [right for each in values["security"] for name in each for right in each[name]]
    return Operation(
        values["operationId"],
        method.upper(),
        path,
        values["summary"],
        values.get("description", ""),
        rights[0] if rights else None,
        tuple(_sent(p["name"], p["schema"], p) for p in values.get("parameters", ())),
        bodies,
        tuple(reply for reply in replies if reply.status < "4"),
        tuple(reply for reply in replies if reply.status >= "4"),
        " ".join(_curl_options(method, values, bodies)),
        _curl_target(path, values),
    )


def _contents(body: Schema) -> Iterator[Content]:
    for media, content in body.get("content", {}).items():
        schema = content.get("schema", {})
        named = "$ref" in schema or "anyOf" in schema
        required = schema.get("required", ())
        fields = [
            _sent(name, value, {"required": name in required, **value})
            for name, value in schema.get("properties", {}).items()
        ]
        yield Content(media, kind_of(schema) if named else (), tuple(fields))


def _answered(schema: Schema) -> Iterator[Field]:
    """Yield the fields of an object in answers."""
    for name, value in schema.get("properties", {}).items():
        note = "" if name in schema.get("required", ()) else "may be absent"
        yield Field(name, kind_of(value), note, value.get("description", ""))


def _sent(name: str, schema: Schema, described: Schema) -> Field:
    """Return a parameter or a field of a body, where null is the same as leaving it out."""
    given = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    kind = kind_of({"anyOf": given} if given else schema)
    notes = ["required"] if described.get("required") else []
    if schema.get("default") not in (None, "", []):
        notes.append(f"default {_plain(schema['default'])}")
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    if least is not None and most is not None:
        notes.append(f"{_plain(least)} to {_plain(most)}")
    return Field(name, kind, ", ".join(notes), described.get("description", ""))


def _plain(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return json.dumps(int(value) if whole else value)


def _curl_options(method: str, values: Schema, bodies: tuple[Content, ...]) -> Iterator[str]:
    if method == "delete":
        yield "-X DELETE"
    if values["security"]:
        yield '-H "Authorization: Bearer $KEY"'
    for body in bodies[:1]:
        yield from _curl_body(body)


def _curl_target(path: str, values: Schema) -> str:
    """Return the path with the required part of the query; values to be given are in capitals."""
    query = []
    for each in values.get("parameters", ()):
        name = each["name"]
        path = path.replace(f"{{{name}}}", name.upper())
        if each["in"] == "query" and each.get("required"):
            query.append(f"{name}={name.upper()}")
    return path + ("?" + "&".join(query) if query else "")


def _curl_body(body: Content) -> Iterator[str]:
    if body.media == _FORM:
        for field in body.fields:
            if field.name in _SENT:
                yield _SENT[field.name]
            elif field.note.startswith("required"):
                yield f"-F {field.name}={field.name.upper()}"
    elif body.media == "image/*":
        yield "-H 'Content-Type: image/jpeg' --data-binary @picture.jpg"
    else:
        sent = ", ".join(f'"{field.name}": …' for field in body.fields)
        yield f"-H 'Content-Type: {body.media}' -d '{{{sent}}}'"
