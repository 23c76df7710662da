"""Archives in an object store, against an S3 server on this machine."""

import datetime
import json
import logging
import urllib.request
import warnings

import numpy as np
import pytest

import homing
from homing.archive import open as opening
from homing.archive.ingest import add as adding
from homing.archive.query.snapshot import Snapshot
from homing.archive.table.location import ObjectStorePath, is_store, location_of
from homing.archive.table.table import Table
from homing.images.preview import read_as_preview
from tests.helpers.archive import child, completed, facts, write
from tests.helpers.object_store import stored_objects
from tests.helpers.pictures import make_pictures
from tests.helpers.vectors import unit_vectors

SECRET = "never-to-be-stored"


@pytest.fixture(scope="module")
def endpoint():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server_module = pytest.importorskip("moto.server")
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        request = urllib.request.Request(f"{address}/pictures", method="PUT")
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        yield address
        server.stop()


@pytest.fixture
def store(endpoint, monkeypatch, tmp_path):
    """A prefix for the test, with the environment variables that a user would set."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT", endpoint)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    return f"s3://pictures/{tmp_path.name}/archive"


@pytest.fixture
def made(store, network_file, codebook):
    return homing.create(store, descriptor=network_file, codebook=codebook)


def test_what_is_a_store():
    assert is_store("s3://bucket/a")
    assert is_store("s3:/bucket/a")  # as a Path would have it
    assert not is_store("C:/photos")
    assert not is_store("folder/s3://x")
    assert str(location_of("S3://bucket//a/b/")) == "s3://bucket/a/b"
    assert str(location_of("file:///tmp/a")) == "/tmp/a"
    assert str(location_of("file:/tmp/a")) == "/tmp/a"
    for wrong in ("s3://bucket", "s3://", "ftp://host/a", "https://host/a", "photos:/a"):
        with pytest.raises(homing.ArchiveError):
            location_of(wrong)


@pytest.mark.parametrize("mark", ["?", "#", "%20", "%2F", "\t", "\n", "\x7f"])
def test_a_key_that_the_store_would_change_is_refused_before_anything_is_made(
    store, endpoint, mark, homing_cli
):
    place = f"{store}/a{mark}b"
    ended = homing_cli("init", place)
    assert ended.status == 2
    assert repr(mark) in ended.err
    assert stored_objects(store) == {}
    with pytest.raises(homing.ArchiveError, match="write the folder's path alone"):
        location_of(f"file:///tmp/a{mark}b")


@pytest.mark.parametrize("url", ["file:a", "file://host/a", "file:////a"])
def test_other_urls_of_files_are_refused(url):
    with pytest.raises(homing.ArchiveError, match="no plain file"):
        location_of(url)


@pytest.mark.parametrize(
    "mark", ["a:b", "é ü", "e\u0301", "50%", "a+b&c=d", "[1]{2}", "a'b", "x|y*"]
)
def test_any_other_key_is_taken_as_it_is(store, mark, network_file, codebook, tmp_path):
    place = f"{store}/{mark}"
    made = homing.create(place, descriptor=network_file, codebook=codebook, previews=32)
    made.add(make_pictures(tmp_path / "photos", 1))
    assert len(homing.open(place)) == 1
    assert all(name.startswith(f"{mark}/") for name in stored_objects(store))


def test_every_command_takes_a_store(store, network_file, codebook, tmp_path, homing_cli):
    """The same commands on a store and on a folder give the same answers."""
    codebook_file = codebook.save(tmp_path / "codebook.safetensors")
    photos = make_pictures(tmp_path / "photos", 6)
    others = make_pictures(tmp_path / "others", 6, first=30)
    local = tmp_path / "archive"
    results = []
    out = tmp_path / "out"
    for place in (str(local), store):
        answers = []

        def run(*arguments, place=place, answers=answers):
            ended = homing_cli(arguments[0], place, *arguments[1:], "--json")
            assert ended.status == 0, ended.err
            answers.append([json.loads(line) for line in ended.out.splitlines()])
            return answers[-1]

        run("init", "--descriptor", network_file, "--codebook", codebook_file)
        run("release", photos, "--out", out)
        run("add", others)
        assert [line["status"] for line in run("add", others)] == ["skipped"] * 6
        assert [line["status"] for line in run("release", photos, "--out", out)] == ["skipped"] * 6
        run("search", others / "031.jpg", "--k", "3", "--probes", "3")
        assert run("index")[0]["indexed"] == 12
        for engine in ("memory", "lance"):
            run("search", others / "031.jpg", "--k", "3", "--probes", "3", "--engine", engine)
        run("show", "031.jpg")
        run("duplicates", "--similarity", "0.99", "--engine", "lance")
        run("remove", "030.jpg")
        run("compact")
        assert run("stats")[0]["entries"] == 11
        assert run("stats")[0]["bytes_on_disk"] > 10_000
        assert run("verify") == []
        assert len(run("list")) == 11
        results.append(answers)
    for one, other in zip(*results, strict=True):
        assert [_lasting(line) for line in one] == [_lasting(line) for line in other]


def _lasting(line: dict) -> dict:
    """Return the items that depend on neither time nor place."""
    passing = (
        "seconds",
        "created_at",
        "archive",
        "bytes_on_disk",
        "bytes_freed",
        "file",
        "version",
    )
    lasting = {key: value for key, value in line.items() if key not in passing}
    for hit in lasting.get("hits", ()):
        hit["code_distance"] = round(hit["code_distance"], 4)
    return lasting


def test_released_files_are_found_from_anywhere(made, tmp_path, monkeypatch):
    made.release(make_pictures(tmp_path / "photos", 3), out=tmp_path / "out")
    monkeypatch.chdir(tmp_path / "photos")
    opened = homing.open(made.path)
    assert opened.verify().files == 3
    assert opened.verify().clean
    assert facts(opened)[0][4] == str(tmp_path / "out" / "000.jpg")


def test_credentials_are_not_stored(made, store, tmp_path):
    made.add(make_pictures(tmp_path / "photos", 3))
    made.index()
    stored = stored_objects(store)
    assert {"archive.json", "codebook.safetensors"} <= set(stored)
    assert not any(SECRET.encode() in data for data in stored.values())


def test_both_engines_and_the_calibration(made, store):
    write(made._table, made.codebook, [f"{n:05}" for n in range(260)], unit_vectors(260, 3))
    assert made.calibrate().entries == 260
    assert homing.open(store)._calibration() == made._calibration()
    queries = unit_vectors(20, 4)
    found = [homing.open(store, engine=e).search_vectors(queries, k=5) for e in ("memory", "lance")]
    made.index()
    found.append(homing.open(store).search_vectors(queries, k=5))
    assert all(np.array_equal(found[0].ids, other.ids) for other in found)
    assert all(np.array_equal(found[0].similarity, other.similarity) for other in found)


def test_an_archive_is_made_once(made, store, network_file, codebook):
    with pytest.raises(homing.ArchiveError, match="exists already"):
        homing.create(store, descriptor=network_file, codebook=codebook)


def test_making_one_that_died_is_brought_to_its_end(store, network_file, codebook, monkeypatch):
    place = ObjectStorePath(store) / "entries.lance"
    Table.create(place, dimension=192, code_size=8, places=2)
    with pytest.raises(homing.ArchiveError, match="being made by another process"):
        homing.create(store, descriptor=network_file, codebook=codebook)
    monkeypatch.setattr(opening, "_SETTLED", 0.0)
    made = homing.create(store, descriptor=network_file, codebook=codebook)
    write(made._table, made.codebook, ["a"], unit_vectors(1, 3))
    assert len(homing.open(store)) == 1


def test_a_record_of_others_is_not_taken_over(store, network_file, codebook, monkeypatch):
    monkeypatch.setattr(opening, "_SETTLED", 0.0)
    table = Table.create(ObjectStorePath(store) / "entries.lance", dimension=192, code_size=8)
    write(table, codebook, ["a"], unit_vectors(1, 3))
    with pytest.raises(homing.ArchiveError, match="a table without settings"):
        homing.create(store, descriptor=network_file, codebook=codebook)


def test_several_write_and_index_at_once(made, store, tmp_path, monkeypatch):
    """Two processes add the same pictures, a third others; two index meanwhile."""
    first = make_pictures(tmp_path / "first", 8)
    second = make_pictures(tmp_path / "second", 8, first=50)
    small = "import homing.archive.ingest.add as adding\nadding._COMMIT = 2\n"
    processes = [child(["add", store, first], before=small) for _ in range(2)]
    processes.append(child(["index", store]))
    monkeypatch.setattr(adding, "_COMMIT", 2)
    made.add(second)
    while any(process.poll() is None for process in processes):
        made.index()
    for process in processes:
        status, _, err = completed(process)
        assert status == 0, err
    opened = homing.open(store)
    opened.index()
    ids = [row.id for row in opened.entries()]
    assert sorted(ids) == sorted(set(ids))
    assert len(ids) == opened.stats()["indexed"] == 16
    assert opened.verify().clean
    queries = unit_vectors(8, 4)
    memory, lance = Snapshot(opened._table, opened.codebook), opened._current.snapshot()
    one, other = (s.search(queries, k=5, probes=4, rerank=0) for s in (memory, lance))
    assert np.array_equal(one.ids, other.ids)


def test_previews_in_a_store(made, store, tmp_path, monkeypatch):
    """Packs are objects; one that no row names stays for an hour, since there are no locks."""
    made.add(make_pictures(tmp_path / "first", 3))
    made.add(make_pictures(tmp_path / "second", 2, first=50))
    opened = homing.open(store)
    for row in opened.entries():
        folder = tmp_path / ("first" if row.id < "050" else "second")
        assert opened.preview(row.id) == read_as_preview(folder / row.id, 480)
    previews = opened.preview_store
    first, second = sorted({row.preview.partition(":")[0] for row in opened.entries()})
    assert sorted(previews.packs()) == [first, second]
    assert previews.read_pack(first) is not None
    assert isinstance(previews.find([f"{first}:9999999:5"])[0], str)
    assert isinstance(previews.find(["none.pack:0:5"])[0], str)
    stats = opened.stats()
    assert stats["previews"] == 5
    assert stats["bytes_on_disk"] > stats["bytes_of_previews"] > 0
    gone = [row.id for row in opened.entries() if row.preview.startswith(second)]
    opened.remove(gone)
    assert opened.compact()["packs_removed"] == 0
    monkeypatch.setattr("homing.archive.table.versions._IN_FLIGHT", datetime.timedelta(0))
    assert opened.compact()["packs_removed"] == 1
    assert previews.packs() == [first]
    assert opened.verify().clean
    for _ in range(2):
        (previews.folder / first).delete()
    assert len(opened.verify().problems) == 5 - len(gone)
    done = opened.previews([tmp_path / "first", tmp_path / "second"])
    assert done.made == 5 - len(gone)
    assert opened.verify().clean


def test_decisions_in_a_store(made, store, tmp_path, monkeypatch):
    """Names are read again after three seconds at the latest, and at once by who has decided."""
    photos = make_pictures(tmp_path / "photos", 2)
    made.add(photos)
    assert made.decisions() == []
    first = made.decide(photos / "000.jpg", "001.jpg", "not", by="Ada")
    made.decide(photos / "001.jpg", "000.jpg", "copy")
    opened = homing.open(store)
    assert [each.number for each in opened.decisions()] == [1, 2]
    assert opened.stats()["decisions"] == 2
    made.undo_decision(first.number)
    monkeypatch.setattr("homing.archive.decisions.files._LOOK", 1e-3)
    assert [each.number for each in opened.decisions()] == [2]
    assert opened.verify().clean
    assert sum("decisions/" in name for name in stored_objects(store)) == 2


def test_wrong_use_is_reported(store, endpoint, tmp_path, homing_cli, monkeypatch):
    ended = homing_cli("stats", store)
    assert (ended.status, ended.err) == (
        2,
        f"homing: there is no archive at '{store}'; make one with 'homing init {store}'\n",
    )
    for place in ("s3://pictures", "ftp://host/archive"):
        ended = homing_cli("init", place)
        assert ended.status == 2
        assert place in ended.err
    photos, local = make_pictures(tmp_path / "photos", 1), tmp_path / "local"
    assert homing_cli("init", local).status == 0
    ended = homing_cli("release", local, photos, "--out", "s3://pictures/out")
    assert ended.status == 2
    assert "a folder of this machine" in ended.err


@pytest.mark.slow  # the store is asked again and again
def test_a_bucket_that_does_not_exist_is_reported(store, homing_cli):
    ended = homing_cli("init", "s3://no-such-bucket/archive")
    assert ended.status == 2
    assert "NoSuchBucket" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_second_codebook_generation_in_a_store(made, network):
    """Its file, the format and the commit are written to the store; searches use both."""
    other = homing.train_codebook(
        unit_vectors(600, 2), "IVF4,PQ16x8", descriptor=network.fingerprint
    )
    write(made._table, made.codebook, ["a", "b"], unit_vectors(2, 1))
    assert made.adopt(other).number == 2
    assert made.adopt(other).number == 2
    write(made._table, other, ["c"], unit_vectors(1, 3), generation=2)
    opened = homing.open(made.path, descriptor=network)
    assert [each.fingerprint for each in opened.generations][1] == other.fingerprint
    queries = np.concatenate([unit_vectors(2, 1), unit_vectors(1, 3)])
    assert opened.search_vectors(queries, k=1).ids[:, 0].tolist() == ["a", "b", "c"]
    assert opened.verify().clean
    stored = stored_objects(str(made.path))
    assert f"codebook-{other.fingerprint[:16]}.safetensors" in stored
    assert json.loads(stored["archive.json"])["format"] == 2
