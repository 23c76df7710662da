"""Reference of the service, made from the OpenAPI description of its application."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from homing.serve.app import create_app
from homing.serve.settings import Settings

_METHODS = ("get", "post", "put", "patch", "delete")
#: Answers that every route may give; the page says what they mean once.
_EVERYWHERE = {"401", "403", "408", "429", "503"}


def as_markdown() -> str:
    """Return a section for each group of routes, and one for the objects of the answers."""
    api = description()
    groups: dict[str, list[str]] = {}
    for path, operations in api["paths"].items():
        for method in _METHODS:
            if method in operations:
                operation = operations[method]
                group = (operation.get("tags") or ["other"])[0]
                groups.setdefault(group, []).append(_operation(method, path, operation, api))
    parts = [f"## {group.capitalize()}\n\n" + "\n".join(each) for group, each in groups.items()]
    parts.append("## Objects\n\n" + "\n".join(_objects(api)))
    return "\n".join(parts)


def description() -> dict[str, Any]:
    """Return the description of a service; no archive is opened."""
    settings = Settings(archive="archive", folder=Path("archive-serve"), no_keys=True)
    api: dict[str, Any] = create_app(settings).openapi()
    return api


def _operation(method: str, path: str, operation: Mapping[str, Any], api: Mapping[str, Any]) -> str:
    parts = [f"### {method.upper()} {path.replace('{', chr(92) + '{')}\n"]
    parts.append(_paragraphs(operation.get("description") or operation.get("summary") or ""))
    rows = list(_parameters(operation, api))
    if rows:
        parts.append("\n".join(["| parameter | in | type | |", "|---|---|---|---|", *rows]) + "\n")
    answers = [
        f"| {status} | {_cell(answer.get('description', ''))} | {_content(answer)} |"
        for status, answer in sorted(operation.get("responses", {}).items())
        if status not in _EVERYWHERE
    ]
    parts.append("\n".join(["| answer | | body |", "|---|---|---|", *answers]) + "\n")
    return "\n".join(parts)


def _parameters(operation: Mapping[str, Any], api: Mapping[str, Any]) -> Iterator[str]:
    for each in operation.get("parameters", []):
        if each["in"] != "cookie":
            text = each.get("description") or each["schema"].get("description", "")
            yield _row(each["name"], each["in"], each["schema"], text, each.get("required", False))
    body = operation.get("requestBody", {}).get("content", {})
    for kind, content in body.items():
        schema = _resolved(content.get("schema", {}), api)
        required = schema.get("required", [])
        if not schema.get("properties"):
            text = _cell(schema.get("description", ""))
            yield f"| the body | {kind} | {_type(schema)} | {text} |"
        for name, value in schema.get("properties", {}).items():
            yield _row(name, kind, value, value.get("description", ""), name in required)


def _row(name: str, place: str, schema: Mapping[str, Any], text: str, needed: bool) -> str:
    default = "" if schema.get("default") is None else f" Default: `{schema['default']}`."
    need = " Required." if needed else ""
    return f"| `{name}` | {place} | {_type(schema)} | {_cell(text)}{default}{need} |"


def _objects(api: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in api["components"]["schemas"].items():
        if "properties" not in schema:
            continue
        needed = schema.get("required", [])
        rows = [
            f"| `{key}` | {_type(value)} | {_cell(value.get('description', ''))}"
            f"{'' if key in needed else ' May be absent.'} |"
            for key, value in schema["properties"].items()
        ]
        text = _paragraphs(schema.get("description", ""))
        yield f"### {name}\n\n{text}\n| key | type | |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _resolved(schema: Mapping[str, Any], api: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = api["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _type(schema: Mapping[str, Any]) -> str:
    """Return the type of a value in a few words, with a link if it is an object."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})" if not name.startswith("Body_") else "form"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_type, schema["anyOf"])))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if schema.get("format") == "binary" or "contentMediaType" in schema:
        return "file"
    kind = schema.get("type", "any")
    return f"{kind}{_range(schema)}" if isinstance(kind, str) else " or ".join(kind)


def _range(schema: Mapping[str, Any]) -> str:
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    return "" if least is None and most is None else f" ({least} to {most})".replace("None", "…")


def _content(answer: Mapping[str, Any]) -> str:
    kinds = [
        _type(content["schema"]) if content.get("schema") else f"`{kind}`"
        for kind, content in answer.get("content", {}).items()
    ]
    return ", ".join(kinds)


def _paragraphs(text: str) -> str:
    return text.strip() + "\n" if text else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
