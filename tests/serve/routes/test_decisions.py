"""Decisions over HTTP: the routes, the answer page and the client."""

import re

import pytest

import homing
from homing.client import Client
from homing.serve.access.keys import READ, WRITE, KeyRing
from tests.helpers.service import encoded, forget_keys, picture


@pytest.fixture
def decided(live):
    """``decided(…)``: a decision by the API. All are undone at the end."""

    def decide(number=2, id="sea/3.jpg", decision="not"):  # noqa: A002
        return live.post("/v1/decisions", encoded(picture(number)), id=id, decision=decision)

    yield decide
    for each in live.http.get("/v1/decisions?limit=500").json()["decisions"]:
        assert live.http.delete(f"/v1/decisions/{each['number']}").status_code == 204


def test_a_decision_is_kept_listed_and_undone(live, decided):
    answer = decided()
    assert answer.status_code == 201
    kept = answer.json()
    assert (kept["id"], kept["decision"], kept["by"]) == ("sea/3.jpg", "not", "local")
    assert (kept["query"], kept["in_force"]) == ("0.jpg", True)
    second = decided(id="sea/2.jpg", decision="copy").json()
    listed = live.http.get("/v1/decisions").json()
    assert listed == {"decisions": [kept, second], "next": None}
    assert live.http.get(answer.headers["location"]).json()["decisions"][0] == kept
    page = live.http.get("/v1/decisions?limit=1").json()
    assert page == {"decisions": [kept], "next": kept["number"]}
    assert live.http.get("/v1/decisions", params={"id": "sea/2.jpg"}).json()["decisions"] == [
        second
    ]
    assert live.http.delete(f"/v1/decisions/{kept['number']}").status_code == 204
    assert live.http.delete(f"/v1/decisions/{kept['number']}").status_code == 404
    assert live.http.get("/v1/decisions").json()["decisions"] == [second]
    assert homing.open(live.settings.archive).decisions()[0].number == second["number"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"id": "none", "decision": "copy"}, 404),
        ({"id": "sea/3.jpg", "decision": "perhaps"}, 422),
        ({"decision": "copy"}, 422),
        ({"id": "sea/3.jpg", "decision": "copy", "token": "none"}, 404),
    ],
)
def test_what_cannot_be_decided_is_refused(live, fields, status):
    answer = live.post("/v1/decisions", encoded(picture(2)), **fields)
    assert answer.status_code == status, answer.text
    assert "error" in answer.json()


def test_a_picture_that_cannot_be_read_or_shows_nothing_is_refused(live):
    blank = encoded(picture(2).point(lambda _: 0))
    for data in (b"no picture", blank):
        assert live.post("/v1/decisions", data, id="sea/3.jpg", decision="not").status_code == 422
    assert live.post("/v1/decisions", id="sea/3.jpg", decision="not").status_code in (415, 422)


def test_the_picture_of_a_saved_search(live, decided):
    data = encoded(picture(2))
    link = live.post("/v1/search?keep=true", data).json()["permalink"]
    token = link.rsplit("/", 1)[1]
    form = {"id": (None, "sea/3.jpg"), "decision": (None, "copy"), "token": (None, token)}
    kept = live.http.post("/v1/decisions", files=form).json()
    assert kept["query_sha256"] == decided().json()["query_sha256"]


def test_the_page_of_an_answer_decides_without_a_script(live, decided):
    link = live.post("/v1/search?keep=true", encoded(picture(2))).json()["permalink"]
    page = live.http.get(link).text
    (id_,) = re.findall(r'name="id" value="([^"]*)"', page)
    assert id_ == "sea/2.jpg"
    assert "as decided" not in page
    headings = ("No copy of sea/2.jpg, as decided.", "The very file of sea/2.jpg.")
    for decision, words, heading in zip(("not", "copy"), ("No", "A"), headings, strict=True):
        form = {"id": (None, id_), "decision": (None, decision)}
        answer = live.http.post(link, files=form)
        assert (answer.status_code, answer.headers["location"]) == (303, link)
        page = live.http.get(link).text
        assert f"{words} copy, as decided by local on 2" in page
        assert heading in page
    (number,) = re.findall(r'name="undo" value="(\d+)"', page)
    for _ in range(2):  # pressed twice
        form = {"id": (None, id_), "undo": (None, number)}
        assert live.http.post(link, files=form).status_code == 303
    assert "No copy, as decided by" in live.http.get(link).text  # the one before


def test_another_site_and_a_reader_may_not_decide(live, decided):
    data = encoded(picture(2))
    link = live.post("/v1/search?keep=true", data).json()["permalink"]
    form = {"id": (None, "sea/2.jpg"), "decision": (None, "copy")}
    foreign = {"Origin": "https://elsewhere.example"}
    assert live.http.post(link, files=form, headers=foreign).status_code == 403
    assert live.http.post("/v1/decisions", files=form, headers=foreign).status_code == 403
    ring = KeyRing(live.settings.folder)
    _, read = ring.add("Eve", READ)
    _, write = ring.add("Ada", WRITE)
    try:
        headers = {"Authorization": f"Bearer {read}"}
        assert live.http.post(link, files=form, headers=headers).status_code == 403
        assert live.http.post("/v1/decisions", files=form, headers=headers).status_code == 403
        assert live.http.delete("/v1/decisions/1", headers=headers).status_code == 403
        page = live.http.get(link, headers=headers)
        assert page.status_code == 200
        assert "It is a copy" not in page.text
        assert live.http.get("/v1/decisions", headers=headers).json()["decisions"] == []
        client = Client(live.url, write)
        kept = client.decide(data, "sea/2.jpg", "copy")
        assert (kept.by, kept.copy) == ("Ada", True)
        assert list(client.decisions("sea/2.jpg")) == [kept]
        client.undo_decision(kept.number)
        with pytest.raises(homing.EntryNotFoundError):
            client.undo_decision(kept.number)
    finally:
        forget_keys(live.service)
