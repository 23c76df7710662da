"""Reference of the service, made from the description of its API."""

from collections.abc import Iterator, Sequence

from homing.serve.pages.described import (
    Content,
    Field,
    Group,
    Model,
    Operation,
    Parts,
    groups_of,
    models_of,
)
from homing.serve.schema import load_schema

_ADDRESS = "http://127.0.0.1:8000"


def as_markdown() -> str:
    """Return a section for each group of operations, and one for the objects of the answers."""
    document = load_schema()
    parts = [part for group in groups_of(document) for part in _group(group)]
    parts.append("## Objects\n")
    parts.extend(map(_model, models_of(document)))
    return "\n".join(parts)


def _group(group: Group) -> Iterator[str]:
    yield f"## {group.name.capitalize()}\n\n{group.text}\n"
    for each in group.operations:
        yield "\n".join(_operation(each))


def _operation(each: Operation) -> Iterator[str]:
    yield f"### {each.method} {each.path}\n".replace("{", "\\{")
    yield f"{each.summary}. {each.text}\n"
    right = f"Needs a key that may {each.right}." if each.right else "Needs no key."
    yield f"{right} Operation `{each.id}`.\n"
    yield f"```sh\ncurl {each.options} '{_ADDRESS}{each.target}'\n```\n".replace("curl  ", "curl ")
    if each.parameters:
        yield _table("parameter", each.parameters)
    for body in each.bodies:
        yield f"Body, `{body.media}`:\n"
        if body.fields:
            yield _table("field", body.fields)
    for reply in each.replies:
        yield f"- **{reply.status}** {'; '.join(map(_content, reply.contents))}"
    refused = ", ".join(f"{reply.status} ({reply.text.rstrip('.')})" for reply in each.refusals)
    yield f"- Refusals: {refused}\n" if refused else ""


def _model(model: Model) -> str:
    return f"### {model.name}\n\n{model.text}\n\n{_table('field', model.fields)}"


def _table(first: str, fields: Sequence[Field]) -> str:
    rows = [f"| `{field.name}` | {_type(field)} | {_cell(field.text)} |" for field in fields]
    return "\n".join([f"| {first} | type | |", "|---|---|---|", *rows]) + "\n"


def _type(field: Field) -> str:
    """Return a field's type, and what else is required of it."""
    return ", ".join(filter(None, (_kind(field.kind), _cell(field.note))))


def _content(content: Content) -> str:
    return f"`{content.media}`" + (f": {_kind(content.kind)}" if content.kind else "")


def _kind(parts: Parts) -> str:
    """Return the words of a type, with links to the objects that it names."""
    words = (f"[{word}](#{word.lower()})" if model else word for word, model in parts)
    return _cell("".join(words))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
