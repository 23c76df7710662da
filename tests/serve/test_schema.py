"""The API's description (serve.schema): served, true to the routes and their answers, growing."""

import copy
import json

import pytest
from pydantic import BaseModel

from homing.serve.models import answers
from homing.serve.schema import load_schema
from tests.helpers import openapi
from tests.helpers.service import encoded, picture


def test_the_committed_description_is_that_of_the_routes():
    new = openapi.described()
    assert list(openapi.losses(load_schema(), new)) == []
    assert new == load_schema(), "run 'make schema' and commit src/homing/serve/openapi.json"


def test_it_is_what_the_service_serves(live):
    assert live.http.get("/openapi.json").json() == load_schema()


def test_every_operation_has_a_name_a_right_and_a_typed_answer():
    names = []
    for path, methods in load_schema()["paths"].items():
        for method, operation in methods.items():
            names.append(operation["operationId"])
            assert operation["security"] in ([], [{"key": ["read"]}], [{"key": ["write"]}])
            for status, answer in operation["responses"].items():
                for kind, content in answer.get("content", {}).items():
                    assert "json" not in kind or content["schema"], (path, method, status)
                if int(status[0]) >= 4:
                    schema = answer["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Failed"}
    assert len(set(names)) == len(names)
    assert {"search", "list_entries", "get_release", "find_manifests_by_content"} <= set(names)
    assert all(name.islower() and "_v1_" not in name for name in names)


def changed(change):
    document = copy.deepcopy(load_schema())
    change(document)
    return list(openapi.losses(load_schema(), document))


SEARCH = ("paths", "/v1/search", "post")
HIT = ("components", "schemas", "HitAnswer")
FORM = ("paths", "/v1/releases", "post", "requestBody", "content", "multipart/form-data", "schema")


def at(document, *place):
    for name in place:
        document = document[name]
    return document


def new_parameter(**more):
    return {"in": "query", "name": "fresh", "schema": {"type": "string"}, **more}


@pytest.mark.parametrize(
    "grow",
    [
        lambda d: d["paths"].update({"/v1/new": {}}),
        lambda d: at(d, *HIT, "properties").update(fresh={"type": "string"}),
        lambda d: at(d, *HIT, "required").append("fresh"),
        lambda d: at(d, *SEARCH, "parameters").append(new_parameter()),
        lambda d: at(d, *FORM, "properties").update(fresh={"type": "string"}),
        lambda d: at(d, *SEARCH).update(summary="Other words"),
    ],
)
def test_a_description_may_grow(grow):
    assert changed(grow) == []


@pytest.mark.parametrize(
    "lose",
    [
        lambda d: d["paths"].pop("/v1/search"),
        lambda d: d["paths"]["/v1/entries/{id}"].pop("delete"),
        lambda d: at(d, *SEARCH, "responses").pop("422"),
        lambda d: at(d, *SEARCH).update(operationId="find"),
        lambda d: at(d, *SEARCH).update(security=[{"key": ["write"]}]),
        lambda d: at(d, *SEARCH, "parameters").pop(0),
        lambda d: at(d, *SEARCH, "parameters").append(new_parameter(required=True)),
        lambda d: at(d, *SEARCH, "parameters", 0, "schema").update(maximum=10),
        lambda d: at(d, *SEARCH, "parameters", 0, "schema").update(multipleOf=2),
        lambda d: at(d, *HIT, "properties").pop("similarity"),
        lambda d: at(d, *HIT, "properties", "similarity").update(type="string"),
        lambda d: at(d, *HIT, "required").remove("similarity"),
        lambda d: at(d, *FORM, "required").append("prefix"),
        lambda d: at(d, *FORM, "properties").pop("psnr"),
    ],
)
def test_a_description_loses_nothing_unnoticed(lose):
    assert changed(lose)


def extras(model, place=""):
    """Yield the fields of an answer that its model does not describe."""
    yield from (f"{place}.{name}" for name in model.model_extra or ())
    for name in type(model).model_fields:
        value = getattr(model, name)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, BaseModel):
                yield from extras(each, f"{place}.{name}")


def test_no_answer_has_a_field_that_is_not_described(live):
    data = encoded(picture(2).crop((20, 15, 180, 135)))
    decided = live.post("/v1/decisions", encoded(picture(2)), id="sea/2.jpg", decision="copy")
    job = live.post("/v1/releases", b"no picture", field="pictures")
    given = [
        (answers.Healthy, live.http.get("/health")),
        (answers.SearchAnswer, live.post("/v1/search?keep=true", encoded(picture(2)))),
        (answers.Explained, live.post("/v1/explain", data)),
        (answers.CellsAnswer, live.post("/v1/cells", data)),
        (answers.DecisionAnswer, decided),
        (answers.DecisionPage, live.http.get("/v1/decisions")),
        (answers.EntryPage, live.http.get("/v1/entries")),
        (answers.EntryAnswer, live.http.get("/v1/entries/sea/2.jpg")),
        (answers.JobAnswer, job),
        (answers.PreviewAnswer, live.post("/v1/previews", data, method="paper")),
        (answers.Statistics, live.http.get("/v1/statistics")),
        (answers.Failed, live.http.get("/v1/entries/none")),
    ]
    for model, answer in given:
        assert list(extras(model.model_validate_json(answer.content))) == [], answer.text
    found = given[1][1].json()["hits"][0]
    assert found["decision"]["copy"] is True
    (first, second) = map(json.loads, live.post(
        "/v1/search/batch", data, b"none", field="pictures"
    ).text.splitlines())  # fmt: skip
    assert list(extras(answers.SearchAnswer.model_validate(first))) == []
    assert list(extras(answers.UnreadQuery.model_validate(second))) == []
    assert live.http.delete(f"/v1/decisions/{decided.json()['number']}").status_code == 204
