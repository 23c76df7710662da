"""Routes of the Soft Binding Resolution API: pictures and bindings lead to manifests."""

import base64
import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import c2pa
import numpy as np
import pytest
from PIL import Image

import homing
from homing.archive import Hit
from homing.c2pa import ALGORITHM, Binding, active_manifest
from homing.options import Limits
from homing.serve.access.keys import READ, KeyRing
from homing.serve.app import create_app
from homing.serve.settings import Settings
from homing.serve.softbinding.matching import manifests_of
from tests.helpers.pictures import picture

with warnings.catch_warnings():  # a notice that another package will replace httpx
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

ROOT = "/v1"
BOUND, CONTENT = f"{ROOT}/matches/byBinding", f"{ROOT}/matches/byContent"


def drawn(seed: int) -> Image.Image:
    return picture(seed, (120, 90))


def stripped(file: Path, box: tuple[int, int, int, int] | None = None) -> bytes:
    """Return a copy as found on the web: cropped, encoded again, without metadata."""
    copy = io.BytesIO()
    with Image.open(file) as picture:
        picture.convert("RGB").crop(box or (0, 0, 120, 90)).save(copy, "JPEG", quality=75)
    return copy.getvalue()


def read_with_c2pa(store: bytes) -> str:
    """Return the id of the active manifest by c2pa's reader."""
    context = c2pa.Context.from_dict({"verify": {"remote_manifest_fetch": False}})
    with c2pa.Reader("application/c2pa", io.BytesIO(store), context=context) as reader:
        return json.loads(reader.json())["active_manifest"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, network_file: Path, credentials: Any) -> Path:
    """An archive: four pictures released with credentials, one released and one added without."""
    folder = tmp_path_factory.mktemp("served")
    network = homing.load_descriptor(network_file)
    vectors = np.random.default_rng(1).standard_normal((600, 192)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    codebook = homing.train_codebook(vectors, "IVF8,PQ8x8", descriptor=network.fingerprint)
    archive = homing.create(folder / "archive", descriptor=network_file, codebook=codebook)
    for name in ("signed", "plain", "added"):
        (folder / name).mkdir()
    for number in range(4):
        drawn(number).save(folder / "signed" / f"{number}.png")
    drawn(10).save(folder / "plain" / "plain.png")
    drawn(11).save(folder / "added" / "added.png")
    (folder / "added" / "list.csv").write_text(
        "path,c2pa_manifest,c2pa_endpoint\nadded.png,urn:c2pa:elsewhere,https://other.example/v1\n"
    )
    here = homing.ContentCredentials(credentials.chain, credentials.key)  # served from here
    settings = {"out": folder / "out", "method": "robust-fast"}
    archive.release(folder / "signed", c2pa=here, **settings)
    archive.release(folder / "plain", **settings)
    archive.add(folder / "added", manifest=folder / "added" / "list.csv")
    return folder


@pytest.fixture(scope="module")
def client(place: Path) -> Iterator[TestClient]:
    settings = Settings(
        archive=str(place / "archive"),
        folder=place / "serve",
        no_keys=True,
        workers=1,
        limits=Limits(max_pixels=1_000_000, max_bytes=1 << 20),
    )
    with TestClient(create_app(settings), base_url="http://localhost") as opened:
        yield opened


@pytest.fixture(scope="module")
def manifests(place: Path) -> dict[str, str]:
    """Manifests by entry, of those that have one."""
    rows = homing.open(place / "archive").entries()
    return {row.id: row.metadata["c2pa_manifest"] for row in rows if row.metadata}


def value_of(place: Path, name: str) -> str:
    archive = homing.open(place / "archive")
    return Binding.of(
        archive.entry(name).vector,
        descriptor=archive.settings.descriptor_fingerprint,
        codebook=archive.settings.codebook_fingerprint,
    ).text


def test_a_stripped_crop_leads_to_the_manifest(
    client: TestClient, place: Path, manifests: dict[str, str]
) -> None:
    copy = stripped(place / "out" / "2.png", (6, 4, 116, 88))
    found = client.post(
        CONTENT, content=copy, headers={"Content-Type": "image/jpeg"}, params={"maxResults": 1}
    )
    assert found.status_code == 200
    (match,) = found.json()["matches"]
    assert match["manifestId"] == manifests["2.png"]
    assert 80 <= match["similarityScore"] <= 100
    assert "endpoint" not in match  # this service has it
    got = client.get(f"{ROOT}/manifests/{match['manifestId']}")
    assert got.status_code == 200
    assert got.headers["content-type"] == "application/c2pa"
    assert read_with_c2pa(got.content) == manifests["2.png"]


def test_a_copy_turned_and_mirrored_is_found(
    client: TestClient, place: Path, manifests: dict[str, str]
) -> None:
    with Image.open(place / "out" / "1.png") as picture:
        copy = io.BytesIO()
        picture.transpose(Image.Transpose.TRANSVERSE).save(copy, "PNG")
    found = client.post(CONTENT, content=copy.getvalue(), headers={"Content-Type": "image/png"})
    assert found.json()["matches"][0]["manifestId"] == manifests["1.png"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_binding_in_a_manifest_leads_to_it(
    client: TestClient, place: Path, manifests: dict[str, str], method: str
) -> None:
    query = {"alg": ALGORITHM, "value": value_of(place, "3.png")}
    found = client.request(method, BOUND, **{"params" if method == "GET" else "json": query})
    assert found.status_code == 200
    assert found.json() == {"matches": [{"manifestId": manifests["3.png"], "similarityScore": 100}]}


def test_manifests_stored_elsewhere_come_with_their_endpoint(
    client: TestClient, place: Path
) -> None:
    found = client.get(BOUND, params={"alg": ALGORITHM, "value": value_of(place, "added.png")})
    assert found.json()["matches"][0] == {
        "manifestId": "urn:c2pa:elsewhere",
        "endpoint": "https://other.example/v1",
        "similarityScore": 100,
    }
    got = client.get(f"{ROOT}/manifests/urn:c2pa:elsewhere")
    assert got.status_code == 404
    assert "no released file" in got.json()["error"]


def test_entries_without_a_manifest_are_no_matches(client: TestClient, place: Path) -> None:
    found = client.get(
        BOUND,
        params={"alg": ALGORITHM, "value": value_of(place, "plain.png"), "maxResults": 10**30},
    )
    assert found.json() == {"matches": []}


def test_one_manifest_of_a_store_alone(
    client: TestClient, place: Path, manifests: dict[str, str]
) -> None:
    address = f"{ROOT}/manifests/{manifests['0.png']}"
    whole, alone = (
        client.get(address, params={"returnActiveManifest": flag}).content
        for flag in ("false", "true")
    )
    assert active_manifest(alone) == active_manifest(whole) == manifests["0.png"]
    assert alone == whole  # its source had no manifest, so there is only one


def test_the_service_lists_what_it_offers(client: TestClient) -> None:
    assert client.get(f"{ROOT}/services/supportedAlgorithms").json() == {
        "watermarks": [],
        "fingerprints": [{"alg": ALGORITHM}],
    }
    offered = client.get(f"{ROOT}/services/capabilities").json()
    assert offered == {
        "c2paSpecificationVersion": "2.4.0",
        "supportedCapabilities": ["queryByContent"],
    }
    known = client.get("/.well-known/c2pa-soft-binding-resolution").json()
    assert known["apiEndpoint"] == ROOT
    assert client.get(known["capabilitiesEndpoint"]).json() == offered
    status = client.get(known["statusEndpoint"]).json()
    assert status["status"] == "ok"
    assert status["timestamp"].endswith("Z")
    # Operations that are not offered do not exist.
    assert client.post(f"{ROOT}/matches/byReference", json={}).status_code == 404


GOOD = base64.b64encode(b"\1" + 16 * b"\0" + np.array([1, 0], "<f2").tobytes()).decode()


@pytest.mark.parametrize(
    ("params", "status", "reason"),
    [
        ({}, 400, "alg: Field required"),
        ({"alg": ALGORITHM}, 400, "value: Field required"),
        ({"alg": "org.example.1", "value": GOOD}, 400, "no algorithm of this service"),
        ({"alg": ALGORITHM, "value": "%"}, 400, "base64"),
        ({"alg": ALGORITHM, "value": ""}, 400, "no value of"),
        ({"alg": ALGORITHM, "value": GOOD}, 400, "another descriptor"),
        ({"alg": ALGORITHM, "value": GOOD, "maxResults": 0}, 400, "maxResults"),
        ({"alg": ALGORITHM, "value": GOOD, "maxResults": "x"}, 400, "maxResults"),
        ({"alg": ALGORITHM, "value": "A" * 4097}, 414, "send it by POST"),
    ],
)
def test_a_query_that_makes_no_sense(
    client: TestClient, params: dict[str, Any], status: int, reason: str
) -> None:
    answer = client.get(BOUND, params=params)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert reason in answer.json()["error"]


@pytest.mark.parametrize(
    ("content", "kind", "status", "reason"),
    [
        (b"{", "application/json", 400, "Invalid JSON"),
        (b'{"alg": "a"}', "application/json", 400, "value: Field required"),
        (b"[]", "application/json", 400, "no soft binding"),
        (b'{"alg": "a", "value": "b"}', "application/json", 400, "no algorithm"),
        (b'{"alg": "a", "value": "b"}', "text/plain", 415, "application/json"),
        (b" " * (1 << 18) + b"{}", "application/json", 413, "at most 262144"),
    ],
)
def test_a_body_that_is_no_binding(
    client: TestClient, content: bytes, kind: str, status: int, reason: str
) -> None:
    answer = client.post(BOUND, content=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert reason in answer.json()["error"]


def picture_bytes(kind: str, size: tuple[int, int] = (60, 40)) -> bytes:
    stream = io.BytesIO()
    drawn(1).resize(size).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "kind", "status", "reason"),
    [
        (b"", "image/png", 400, "empty"),
        (b"hello, picture", "image/png", 415, "no picture of a kind that is read"),
        (picture_bytes("PNG")[:33], "image/png", 400, "truncated"),
        (picture_bytes("PNG"), "application/pdf", 415, "image/"),
        (picture_bytes("PNG"), "", 415, "untyped"),
        (picture_bytes("PNG", (1001, 1000)), "image/png", 400, "more than the limit"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * (2 << 20), "image/png", 413, "send less"),
    ],
)
def test_a_body_that_is_no_picture(
    client: TestClient, content: bytes, kind: str, status: int, reason: str
) -> None:
    answer = client.post(CONTENT, content=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert reason in answer.json()["error"]


def test_a_picture_cut_short_is_searched_as_far_as_it_goes(client: TestClient) -> None:
    cut = {"content": picture_bytes("PNG")[:-20], "headers": {"Content-Type": "image/png"}}
    assert client.post(CONTENT, **cut).status_code == 200


def test_a_picture_is_searched_by_our_algorithm_alone(client: TestClient, place: Path) -> None:
    sent = {"content": stripped(place / "out" / "0.png"), "headers": {"Content-Type": "image/jpeg"}}
    hints = {"hintAlg": "org.example.1", "hintValue": "AA=="}
    plain = client.post(CONTENT, **sent).json()["matches"]
    assert (
        client.post(CONTENT, **sent, params={"alg": ALGORITHM, **hints}).json()["matches"] == plain
    )
    refused = client.post(CONTENT, **sent, params={"alg": "org.example.1"})
    assert refused.status_code == 400


@pytest.mark.parametrize("name", ["urn:c2pa:none", "", "a/b", "..%2f..%2fetc", "%00", "'; --"])
def test_manifests_that_are_not_there(client: TestClient, name: str) -> None:
    answer = client.get(f"{ROOT}/manifests/{name}")
    assert answer.status_code == 404
    assert list(answer.json()) == ["error"]


def test_a_file_that_is_no_longer_the_recorded_one_is_not_served(
    client: TestClient, place: Path, manifests: dict[str, str]
) -> None:
    file, address = place / "out" / "1.png", f"{ROOT}/manifests/{manifests['1.png']}"
    content = file.read_bytes()
    try:
        file.write_bytes((place / "out" / "0.png").read_bytes())
        answer = client.get(address)
        assert answer.status_code == 404
        assert "SHA-256 differs" in answer.json()["error"]
    finally:
        file.write_bytes(content)
    assert client.get(address).status_code == 200


def test_a_manifest_released_meanwhile_is_served(
    client: TestClient, place: Path, credentials: Any, tmp_path: Path
) -> None:
    drawn(20).save(tmp_path / "new.png")
    archive = homing.open(place / "archive")
    (outcome,) = archive.release(
        tmp_path / "new.png", out=place / "out", method="robust-fast", c2pa=credentials
    ).outcomes
    address = f"{ROOT}/manifests/{outcome.c2pa_manifest}"
    assert read_with_c2pa(client.get(address).content) == outcome.c2pa_manifest
    archive.remove(["new.png"])
    assert client.get(address).status_code == 404


def test_matches_and_manifests_need_a_key_where_there_are_keys(place: Path, tmp_path: Path) -> None:
    settings = Settings(archive=str(place / "archive"), folder=tmp_path / "serve", workers=1)
    _, secret = KeyRing(settings.folder).add("reader", READ)
    with TestClient(create_app(settings), base_url="http://localhost") as opened:
        for path in ("services/supportedAlgorithms", "services/capabilities", "services/status"):
            assert opened.get(f"{ROOT}/{path}").status_code == 200
        query = {"alg": ALGORITHM, "value": value_of(place, "0.png")}
        for path in ("matches/byBinding", "manifests/urn:c2pa:none"):
            assert opened.get(f"{ROOT}/{path}", params=query).status_code == 401
        key = {"Authorization": f"Bearer {secret}"}
        assert opened.get(BOUND, params=query, headers=key).status_code == 200


def hit(name: str, similarity: float, is_copy: bool | None, metadata: dict | None) -> Hit:
    return Hit(
        id=name, similarity=similarity, view="upright", cell=0, code_distance=0.0,
        state="released", is_copy=is_copy, metadata=metadata,
    )  # fmt: skip


def test_each_manifest_comes_once_with_its_similarity() -> None:
    hits = [
        hit("a", 1.01, True, {"c2pa_manifest": "A"}),
        hit("b", 0.95, True, None),
        hit("c", 0.94, True, {"c2pa_manifest": 3}),
        hit("d", 0.93, True, {"c2pa_manifest": "A", "c2pa_endpoint": "https://later.example"}),
        hit("f", 0.555, True, {"c2pa_manifest": "F", "c2pa_endpoint": "https://f.example"}),
        hit("i", -0.2, True, {"c2pa_manifest": "I"}),
    ]
    matches = [match.model_dump(exclude_none=True) for match in manifests_of(hits, 9)]
    assert matches == [
        {"manifestId": "A", "similarityScore": 100},
        {"manifestId": "F", "endpoint": "https://f.example", "similarityScore": 56},
        {"manifestId": "I", "similarityScore": 0},
    ]
    assert len(manifests_of(hits, 2)) == 2


def test_content_is_compared_and_decisions_count(
    client: TestClient, place: Path, manifests: dict[str, str], tmp_path: Path
) -> None:
    """Another picture of the same tones is no match, however similar: until somebody says so."""
    stranger = tmp_path / "stranger.png"
    with Image.open(place / "out" / "2.png") as known:
        tones = known.convert("RGB").resize((8, 8), Image.Resampling.BOX).resize((120, 90))
    details = np.random.default_rng(0).integers(-40, 40, (90, 120, 1))
    Image.fromarray(np.clip(np.asarray(tones) + details, 0, 255).astype("u1")).save(stranger)
    archive = homing.open(place / "archive")
    alike = archive.search(stranger, confirm=False)
    best = next(hit for hit in alike if hit.id in manifests)
    assert best.similarity > 0.5  # which was enough for a match once

    def found() -> list[str]:
        headers = {"Content-Type": "image/png"}
        answer = client.post(CONTENT, content=stranger.read_bytes(), headers=headers)
        return [match["manifestId"] for match in answer.json()["matches"]]

    assert found() == []
    decision = archive.decide(stranger, best.id, "copy", by="Ada")
    assert found() == [manifests[best.id]]
    archive.undo_decision(decision.number)
    assert found() == []


def test_by_binding_similarity_alone_is_no_match_without_a_rate(
    client: TestClient, place: Path
) -> None:
    archive = homing.open(place / "archive")
    vector = archive.entry("3.png").vector.astype(np.float32)
    moved = vector + 0.03 * np.random.default_rng(0).standard_normal(vector.shape).astype("f4")
    near = Binding.of(
        (moved / np.linalg.norm(moved)).astype(np.float16),
        descriptor=archive.settings.descriptor_fingerprint,
        codebook=archive.settings.codebook_fingerprint,
    )
    answer = client.get(BOUND, params={"alg": ALGORITHM, "value": near.text})
    assert answer.json() == {"matches": []}


#: Parameters and failures of the operations in C2PA's own description, version 2.4.0.
SPECIFIED = {
    ("get", BOUND): ({"value": True, "alg": True, "maxResults": False}, {400, 403, 414}),
    ("post", BOUND): ({"maxResults": False}, {400, 403, 413}),
    ("post", CONTENT): (
        {"alg": False, "maxResults": False, "hintAlg": False, "hintValue": False},
        {403, 413, 415},
    ),
    ("get", f"{ROOT}/manifests/{{manifestId}}"): (
        {"returnActiveManifest": False, "manifestId": True},
        {400, 403, 404},
    ),
    ("get", f"{ROOT}/services/supportedAlgorithms"): ({}, set()),
    ("get", f"{ROOT}/services/capabilities"): ({}, set()),
    ("get", f"{ROOT}/services/status"): ({}, set()),
    ("get", "/.well-known/c2pa-soft-binding-resolution"): ({}, set()),
}


def test_the_description_has_what_the_specification_has(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for (method, path), (parameters, failures) in SPECIFIED.items():
        operation = paths[path][method]
        parameters_here = {
            each["name"]: each["required"] for each in operation.get("parameters", [])
        }
        assert parameters_here == parameters
        assert failures <= {int(c) for c in operation["responses"] if c.isdecimal()}
        for each in operation.get("parameters", []):
            if each["name"] == "maxResults":
                assert (each["schema"]["minimum"], each["schema"]["default"]) == (1, 10)
    (kind,) = paths[f"{ROOT}/manifests/{{manifestId}}"]["get"]["responses"]["200"]["content"]
    assert kind == "application/c2pa"
    assert list(paths[CONTENT]["post"]["requestBody"]["content"]) == ["image/*"]
