"""Routes of the API: routes.entries, routes.releases, routes.searches, routes.status, and behind
them service, models, jobs.uploads and token_folders."""

import io
import json
import time
import zipfile
from pathlib import Path

import httpx
import pytest
from PIL import Image

import homing
from tests.helpers.service import encoded, picture


def without_times(answer):
    return {key: value for key, value in answer.items() if key not in ("seconds", "query")}


def test_health_statistics_and_metrics(live):
    assert live.http.get("/health").json() == {"status": "ok", "version": homing.__version__}
    live.post("/v1/search", encoded(picture(1)))
    figures = live.http.get("/v1/statistics").json()
    assert figures["descriptor"] == "averages.ts"  # and not its path
    assert figures["server"]["requests"] >= 2
    assert figures["server"]["latency"]["/v1/search"]["count"] >= 1
    text = live.http.get("/metrics").text
    assert 'homing_requests_total{method="POST",route="/v1/search",status="200"}' in text
    assert "homing_queries_waiting 0.0" in text


@pytest.mark.parametrize(
    "options", [{}, {"k": 3, "probes": 8}, {"views": "turned", "rerank": 0}, {"rate": 0.01}]
)
def test_a_search_answers_what_the_command_line_does(live, tmp_path, options):
    data = encoded(picture(2).crop((20, 15, 180, 135)))
    (tmp_path / "0.jpg").write_bytes(data)
    (found,) = homing.open(live.settings.archive).search_each([tmp_path / "0.jpg"], **options)
    answer = live.http.post("/v1/search", files={"picture": ("0.jpg", data)}, params=options)
    assert answer.status_code == 200
    assert without_times(answer.json()) == without_times(found.as_dict())
    assert answer.json()["query"] == "0.jpg"
    assert answer.json()["hits"][0]["id"] == "sea/2.jpg"


def test_a_collage_is_answered_as_the_command_line_does(live, tmp_path):
    whole = Image.new("RGB", (906, 300), "white")
    for place, number in enumerate((6, 1, 3)):
        whole.paste(picture(number).resize((300, 300)), (303 * place, 0))
    data = encoded(whole)
    (tmp_path / "0.jpg").write_bytes(data)
    (found,) = homing.open(live.settings.archive).search_each([tmp_path / "0.jpg"])
    answer = live.http.post("/v1/search", files={"picture": ("0.jpg", data)})
    assert without_times(answer.json()) == without_times(found.as_dict())
    copies = [hit["id"] for hit in answer.json()["hits"] if hit["is_copy"]]
    assert copies[0] == "sea/6.jpg"  # the others show too little


def test_hits_are_confirmed_by_details(live):
    data = encoded(picture(2))
    plain = live.post("/v1/search?k=2&probes=8", data).json()["hits"]
    confirmed = live.post("/v1/search?k=2&probes=8&confirm=true", data).json()["hits"]
    assert {hit["id"] for hit in plain} == {hit["id"] for hit in confirmed}


def test_a_vector_finds_what_its_picture_does(live):
    data = encoded(picture(3))
    vector = homing.open(live.settings.archive).descriptor.describe([data])[0] * 7
    found = live.http.post("/v1/search?k=2", json={"vector": vector.tolist()}).json()["hits"]
    seen = live.post("/v1/search?k=2", data).json()["hits"]
    assert [hit["id"] for hit in found] == [hit["id"] for hit in seen]
    assert found[0]["similarity"] == pytest.approx(seen[0]["similarity"], abs=1e-4)
    large = (vector.astype(float) * 1e300).tolist()
    assert live.http.post("/v1/search?k=2", json={"vector": large}).json()["hits"] == found


@pytest.mark.parametrize(
    "body",
    [
        '{"vector": [1, 2]}',
        '{"vector": ' + json.dumps([0] * 192) + "}",
        '{"vector": ' + json.dumps([1e999] * 192) + "}",
        '{"vector": [NaN]}',
        '{"vector": "x"}',
        "[]",
        "{",
        "",
    ],
)
def test_a_vector_that_is_none_is_refused(live, body):
    answer = live.http.post(
        "/v1/search", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["error"]


def test_several_pictures_are_answered_line_by_line(live):
    pictures = [encoded(picture(1)), b"no picture", encoded(picture(6))]
    answer = live.post("/v1/search/batch?k=1", *pictures, field="pictures")
    first, bad, last = map(json.loads, answer.text.splitlines())
    assert first["hits"][0]["id"] == "sea/1.jpg"
    assert bad["status"] == "failed"
    assert "not a picture" in bad["reason"]
    assert last["hits"][0]["id"] == "sea/6.jpg"


def test_an_explanation_shows_both_pictures(live):
    answer = live.post("/v1/explain", encoded(picture(2))).json()
    assert answer["hit"]["id"] == "sea/2.jpg"
    assert answer["verdict"]
    assert set(answer["figures"]) >= {"query", "entry"}
    assert all(a.startswith("data:image/jpeg;base64,") for a in answer["figures"].values())
    other = live.post("/v1/explain?id=sea/5.jpg", encoded(picture(2))).json()
    assert other["hit"]["id"] == "sea/5.jpg"
    missing = live.post("/v1/explain?id=none", encoded(picture(2)))
    assert missing.status_code == 404


def test_cells_are_those_of_the_archive(live):
    answer = live.post("/v1/cells?probes=3", encoded(picture(2)))
    assert answer.status_code == 200
    near = answer.json()["cells"]
    assert len(near) == 3
    entry = live.http.get("/v1/entries/sea/2.jpg").json()
    assert near[0] == entry["cell"]
    assert len(live.post("/v1/cells?views=turned", encoded(picture(2))).json()["cells"]) >= 1
    for wrong in ("probes=0", "generation=7", "views=none", "nonsense=1"):
        assert live.post(f"/v1/cells?{wrong}", encoded(picture(2))).status_code in (400, 422)
    assert live.post("/v1/cells", b"no picture").status_code in (400, 422)


def test_entries_come_in_pages(live):
    first = live.http.get("/v1/entries", params={"limit": 5, "prefix": "sea/"}).json()
    rest = live.http.get(
        "/v1/entries", params={"limit": 5, "prefix": "sea/", "after": first["next"]}
    )
    ids = [entry["id"] for page in (first, rest.json()) for entry in page["entries"]]
    assert ids == [f"sea/{number}.jpg" for number in range(8)]
    assert rest.json()["next"] is None
    added = live.http.get("/v1/entries?state=added&prefix=sea").json()["entries"]
    assert [entry["id"] for entry in added] == ["sea/5.jpg", "sea/6.jpg", "sea/7.jpg"]
    assert live.http.get("/v1/entries?prefix=nowhere").json() == {"entries": [], "next": None}


def test_an_entry_its_file_and_a_small_picture_of_it(live):
    entry = live.http.get("/v1/entries/sea/0.jpg").json()
    recorded = homing.open(live.settings.archive).entry("sea/0.jpg").as_dict()
    assert entry == recorded | {"file": "/v1/files/sea/0.jpg"}
    file = live.http.get(entry["file"])
    assert file.headers["content-type"] == "image/jpeg"
    assert file.headers["x-content-type-options"] == "nosniff"
    small = live.http.get("/v1/thumbnails/sea/5.jpg")
    assert small.content[:3] == b"\xff\xd8\xff"
    gone = live.http.get("/v1/thumbnails/sea/7.jpg")  # there is no file: of its preview
    assert gone.content[:3] == b"\xff\xd8\xff"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"metadata": {}}', 200),
        (b"", 422),
        (b"[]", 422),
        (b'{"caption": "x"}', 422),
        (b'{"metadata": {"a": NaN}}', 422),
        (b'{"metadata": ' + b'{"a":' * 70 + b"1" + b"}" * 71, 422),
        (b'{"metadata": {"a": "' + b"x" * 300_000 + b'"}}', 413),
    ],
)
def test_a_change_of_an_entry_that_is_none_is_refused(live, body, status):
    before = live.http.get("/v1/entries/sea/6.jpg").json()
    answer = live.http.patch("/v1/entries/sea/6.jpg", content=body)
    assert answer.status_code == status
    assert (answer.json() == before) == (status == 200)
    assert live.http.get("/v1/entries/sea/6.jpg").json() == before


def test_no_answer_names_a_path(live):
    released = live.post("/v1/explain?id=sea/2.jpg", encoded(picture(2)))
    gone = live.post("/v1/explain?id=sea/7.jpg", encoded(picture(7)))
    assert "/" not in str(released.json()["reason"])
    paths = (
        "/v1/entries",
        "/v1/entries/sea/0.jpg",
        "/v1/entries/none",
        "/v1/files/sea/7.jpg",
        "/v1/statistics",
    )
    answers = [released, gone, *map(live.http.get, paths)]
    pages = ("/browse", "/browse/sea/0.jpg", "/browse/sea/7.jpg", "/browse/none", "/status")
    answers += [live.http.get(path, headers={"Accept": "text/html"}) for path in pages]
    places = (str(Path(live.settings.archive).parent), "../", "/tmp", "averages.ts/..")
    for answer in answers:
        assert not [place for place in places if place in answer.text], answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/v1/entries/none",
        "/v1/files/none",
        "/v1/files/sea/7.jpg",
        "/v1/thumbnails/none",
        "/v1/files/..%2F..%2Farchive%2Farchive.json",
        "/v1/files/%2Fetc%2Fpasswd",
        "/v1/releases/none",
        "/v1/releases/..%2Farchive/files.zip",
        "/v1/previews/none/before.png",
        "/nowhere",
    ],
)
def test_missing_things_are_reported(live, path):
    answer = live.http.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "send", "status"),
    [
        ("/v1/search", {"content": b"x"}, 415),
        ("/v1/search", {"files": {"other": b"x"}}, 422),
        ("/v1/search", {"files": {"picture": b""}}, 422),
        ("/v1/search", {"files": {"picture": b"nothing"}}, 422),
        ("/v1/search?k=0", {"files": {"picture": b"nothing"}}, 422),
        ("/v1/search?surprise=1", {"files": {"picture": b"nothing"}}, 422),
        ("/v1/search?views=all&probes=many", {"files": {"picture": b"nothing"}}, 422),
        ("/v1/search", {"files": [("picture", b"1"), ("picture", b"2")]}, 400),
        ("/v1/search", {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400),
        ("/v1/releases", {"files": {"pictures": b"x"}, "data": {"psnr": "5"}}, 422),
        ("/v1/releases", {"files": {"pictures": b"x"}, "data": {"method": "magic"}}, 422),
        ("/v1/releases", {"files": {"pictures": b"x"}, "data": {"prefix": "../.."}}, 422),
        ("/v1/previews", {"files": {"picture": b"x"}}, 422),
    ],
)
def test_wrong_parameters_are_refused(live, path, send, status):
    answer = live.http.post(path, **send)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]


def test_too_many_pixels_and_bytes_are_refused(live):
    many = live.post("/v1/search", encoded(picture(1, (1001, 1000))))
    assert many.status_code == 422
    assert "1001 x 1000 pixels" in many.json()["error"]
    said = live.post("/v1/search", bytes(500_000))
    assert said.status_code == 413

    def endless():
        yield b'--b\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\n'
        while True:
            yield bytes(10_000)

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    try:
        unsaid = live.http.post("/v1/search", content=endless(), headers=kind)
        assert unsaid.status_code == 413
    except httpx.TransportError:  # the connection is closed while it still sends
        pass


def finished(live, token):
    until = time.monotonic() + 240  # on a busy machine the process that releases starts slowly
    while time.monotonic() < until:
        job = live.http.get(f"/v1/releases/{token}").json()
        if job["state"] != "running":
            return job
        time.sleep(0.05)
    raise AssertionError


def test_a_release_by_upload(live):
    files = [
        ("pictures", ("../../up/ä.jpg", encoded(picture(20)))),
        ("pictures", ("C:\\photos\\b.png", encoded(picture(21), "PNG"))),
        ("pictures", ("c.jpg", b"no picture")),
    ]
    given = {"method": "paper", "prefix": "news/today", "psnr": "43"}
    answer = live.http.post("/v1/releases", files=files, data=given)
    assert answer.status_code == 202
    job = finished(live, answer.json()["job"])
    assert (job["state"], job["total"], job["done"]) == ("done", 3, 3)
    first, second, bad = job["outcomes"]
    assert first["id"] == "news/today/ä.jpg"
    assert first["status"] == second["status"] == "released"
    assert first["psnr"] >= 43
    assert bad["status"] == "failed"
    assert "not a picture" in bad["reason"]
    assert str(live.settings.folder) not in json.dumps(job)
    # They are found at once, and their files come back, one by one or together.
    hits = live.post("/v1/search?k=1", encoded(picture(20).crop((10, 10, 190, 140)))).json()["hits"]
    assert hits[0]["id"] == first["id"]
    together = live.http.get(f"/v1/releases/{job['job']}/files.zip").content
    with zipfile.ZipFile(io.BytesIO(together)) as z:
        assert z.namelist() == ["news/today/ä.jpg", "news/today/b.png"]
        assert z.read("news/today/b.png") == live.http.get("/v1/files/news/today/b.png").content
    # Only needed files are left, under names that the service has chosen.
    left = {path.name for path in (live.settings.folder / "jobs" / job["job"]).iterdir()}
    assert left == {"job.json", "manifest.jsonl", "outcomes-000000.json"}
    written = [p.name for p in (live.settings.folder / "released" / job["job"]).iterdir()]
    assert sorted(written) == ["0.jpg", "1.png"]
    for entry in (first, second):
        assert live.http.delete(f"/v1/entries/{entry['id']}").status_code == 204
    assert live.http.delete(f"/v1/entries/{first['id']}").status_code == 404


def test_two_pictures_of_one_name_are_refused(live):
    files = [("pictures", ("a.jpg", encoded(picture(n)))) for n in (30, 31)]
    answer = live.http.post("/v1/releases", files=files)
    assert answer.status_code == 422
    assert "a.jpg" in answer.json()["error"]
    assert not [p for p in (live.settings.folder / "jobs").iterdir() if p.name.startswith(".")]


def test_a_preview_shows_the_change(live):
    answer = live.post("/v1/previews", encoded(picture(40), "PNG"), method="paper", psnr=45).json()
    assert answer["psnr"] >= 45
    assert 0.9 < answer["ssim"] < 1
    assert 60 < answer["ssimulacra2"] < 100
    for name in ("before", "after", "difference"):
        shown = live.http.get(answer[name])
        assert shown.headers["content-type"] == "image/png"
    recorded = live.http.get("/v1/entries?prefix=0.jpg").json()["entries"]
    assert recorded == []


def test_a_search_is_saved_under_its_link(live):
    data = encoded(picture(4))
    links = [live.post("/v1/search?k=1&keep=true", data).json()["permalink"] for _ in range(5)]
    tokens = [link.removeprefix("/found/") for link in links]
    saved = [live.service.saved_searches.get(token) for token in tokens]
    assert saved[:2] == [None, None]
    assert all(each is not None for each in saved[2:])
    assert saved[-1].answer["hits"][0]["id"] == "sea/4.jpg"
    assert saved[-1].picture.read_bytes() == data
    assert live.service.saved_searches.get("../archive") is None


def test_a_page_of_another_site_may_not_do_anything(live):
    assert live.http.get("/health", headers={"Host": "evil.example"}).status_code == 403
    sent = live.http.delete("/v1/entries/sea/0.jpg", headers={"Origin": "https://evil.example"})
    assert sent.status_code == 403
    assert live.http.get("/v1/entries/sea/0.jpg").status_code == 200


def test_the_log_names_no_file_that_was_sent(live):
    live.http.post("/v1/search", files={"picture": ("very-secret.jpg", encoded(picture(1)))})
    lines = [json.loads(line) for line in live.log.getvalue().splitlines()]
    answer = {"event": "request", "method": "POST", "route": "/v1/search", "status": 200}
    assert any(answer.items() <= line.items() for line in lines)
    assert "very-secret" not in live.log.getvalue()
    assert not [line for line in lines if line["level"] == "error"]


def test_every_route_describes_its_failures(live):
    described = live.http.get("/openapi.json").json()
    assert Path(described["info"]["title"]).name == "homing"
    for path, methods in described["paths"].items():
        for method, answer in methods.items():
            assert {"401", "403", "429", "503"} <= set(answer["responses"]), (method, path)
