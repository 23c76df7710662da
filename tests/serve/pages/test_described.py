"""The API's description as plain values (pages.described), and its page (pages.reference)."""

import html
import re

import pytest

from homing.serve.pages.described import groups_of, kind_of, models_of
from homing.serve.schema import load_schema


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer"}, "integer"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Hit"}}, "list of Hit"),
        ({"enum": ["a", "b"], "type": "string"}, '"a", "b"'),
        ({"type": "string", "format": "date-time"}, "date and time"),
        ({"type": "string", "contentMediaType": "application/octet-stream"}, "file"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "by name, number"),
        ({}, "anything"),
    ],
)
def test_types_are_put_into_words(schema, words):
    assert "".join(word for word, _ in kind_of(schema)) == words


def operations():
    return {each.id: each for group in groups_of(load_schema()) for each in group.operations}


def test_every_operation_is_described_once():
    described = [m["operationId"] for p in load_schema()["paths"].values() for m in p.values()]
    assert sorted(operations()) == sorted(described)


def test_an_operation_has_its_right_options_and_example():
    release = operations()["release"]
    assert (release.right, operations()["get_health"].right) == ("write", None)
    notes = {field.name: field.note for field in release.bodies[0].fields}
    assert notes["pictures"] == "required"
    assert notes["psnr"] == "default 42, 30 to 70"
    assert release.options.endswith("-F pictures=@a.jpg -F pictures=@b.jpg")
    assert operations()["remove_entry"].options.startswith("-X DELETE ")
    assert operations()["get_entry"].target == "/v1/entries/ID"
    binding = operations()["find_manifests_by_binding"]
    assert binding.target == "/v1/matches/byBinding?alg=ALG&value=VALUE"


def test_the_page_needs_no_key_and_leads_to_every_object(live):
    page = live.http.get("/reference")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(r'(src|href)="(https?:)?//', page.text)  # nothing from elsewhere
    ids = set(re.findall(r' id="([^"]+)"', page.text))
    assert {model.name for model in models_of(load_schema())} | set(operations()) <= ids
    assert set(re.findall(r'href="#([^"]+)"', page.text)) <= ids
    assert f'curl -X DELETE -H "Authorization: Bearer $KEY" \'{live.url}/v1' in html.unescape(
        page.text
    )
