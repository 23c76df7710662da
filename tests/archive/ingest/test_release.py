"""Releases and adds from end to end; covers add, describe, plan, release and run.

`activate_files` is tested through the command, in tests/cli.
"""

import hashlib
import io

import numpy as np
import pytest
import torch
from PIL import Image

import homing
from homing.activation import Activator
from homing.archive.ingest import run as running
from homing.archive.ingest.staging import Staging
from tests.helpers.archive import contents, facts, stamps
from tests.helpers.pictures import make_pictures, picture
from tests.helpers.vectors import unit_vectors

SEED_PICTURES = 5


@pytest.fixture
def photos(tmp_path):
    return make_pictures(tmp_path / "photos", SEED_PICTURES)


def statuses(report):
    return [outcome.status for outcome in report]


def test_release_writes_records_and_finds(archive, photos, tmp_path):
    before = contents(photos)
    steps = []
    report = archive.release(photos, out=tmp_path / "out", progress=steps.append)
    assert [step.result for step in steps] == list(report)
    assert [step.done for step in steps] == list(range(1, SEED_PICTURES + 1))
    assert {step.total for step in steps} == {SEED_PICTURES}
    assert statuses(report) == ["released"] * SEED_PICTURES
    assert len(archive) == SEED_PICTURES
    assert contents(photos) == before
    written = contents(tmp_path / "out")
    assert set(written) == set(before)
    for outcome, row in zip(report, archive.entries(), strict=True):
        data = written[outcome.id]
        assert row.id == outcome.id
        assert row.state == "released"
        assert row.file_sha256 == hashlib.sha256(data).digest()
        assert row.source_sha256 == hashlib.sha256(before[outcome.id]).digest()
        assert data != before[outcome.id]
        source, released = (
            np.asarray(Image.open(io.BytesIO(d)), np.float64) for d in (before[outcome.id], data)
        )
        measured = 10 * np.log10(255**2 / np.mean((source - released) ** 2))
        assert measured >= 42
        assert measured == pytest.approx(outcome.psnr, abs=1e-6)
        assert row.psnr == pytest.approx(outcome.psnr, abs=1e-4)
        hit = archive.search(data, k=1)[0]
        assert hit.id == outcome.id
        assert hit.similarity > 0.998
        assert hit.state == "released"
        assert hit.cell == row.cell
    assert archive.verify().clean


def test_the_bundled_descriptor_and_codebook_from_end_to_end(tmp_path, photos):
    archive = homing.create(tmp_path / "bundled", expect=100)
    archive.release(photos, out=tmp_path / "out")
    for number in range(SEED_PICTURES):
        hit = archive.search(tmp_path / "out" / f"{number:03}.jpg", k=1)[0]
        assert hit.id == f"{number:03}.jpg"
        assert hit.similarity > 0.97  # the recorded vector lies between those of file and source
    assert homing.open(tmp_path / "bundled").verify().clean


def test_add_records_pictures_as_they_are(archive, photos):
    before = contents(photos)
    report = archive.add(photos)
    assert statuses(report) == ["added"] * SEED_PICTURES
    for row in archive.entries():
        assert row.state == "added"
        assert row.file is None
        assert row.psnr is None
        assert row.file_sha256 == row.source_sha256 == hashlib.sha256(before[row.id]).digest()
        hit = archive.search(photos / row.id, k=1)[0]
        assert (hit.id, hit.state) == (row.id, "added")
        assert hit.similarity > 0.998
    assert contents(photos) == before


@pytest.mark.parametrize("command", ["release", "add"])
def test_running_again_changes_nothing(archive, photos, tmp_path, command):
    def run():
        if command == "add":
            return archive.add(photos)
        return archive.release(photos, out=tmp_path / "out")

    run()
    bytes_before, stamps_before = contents(tmp_path), stamps(tmp_path)
    # Staging uses the output folder itself; files in it are not touched.
    stamps_before.pop("out", None)
    for _ in range(2):
        report = run()
        assert statuses(report) == ["skipped"] * SEED_PICTURES
        assert all(outcome.reason for outcome in report)
    assert contents(tmp_path) == bytes_before
    after = stamps(tmp_path)
    after.pop("out", None)
    assert after == stamps_before
    assert len(archive) == SEED_PICTURES


def test_an_open_archive_sees_what_others_have_written_since(archive, photos, tmp_path):
    homing.open(archive.path).release(photos, out=tmp_path / "out")
    assert archive.add(photos).count("skipped") == SEED_PICTURES
    assert archive.release(photos, out=tmp_path / "out").count("skipped") == SEED_PICTURES


def test_new_pictures_beside_old_ones_are_released_alike(archive, create, photos, tmp_path):
    whole = create("whole")
    whole.release(photos, out=tmp_path / "whole-out")
    archive.release([photos / "000.jpg", photos / "003.jpg"], out=tmp_path / "out")
    report = archive.release(photos, out=tmp_path / "out")
    assert statuses(report) == ["skipped", "released", "released", "skipped", "released"]
    assert contents(tmp_path / "out") == contents(tmp_path / "whole-out")


def test_the_same_id_for_another_picture_is_refused(archive, photos, tmp_path):
    archive.release(photos, out=tmp_path / "out")
    recorded, written = facts(archive), contents(tmp_path / "out")
    others = make_pictures(tmp_path / "others", 2, first=50)
    (others / "050.jpg").rename(others / "000.jpg")
    for report in (archive.release(others, out=tmp_path / "out2"), archive.add(others)):
        assert report.failures[0].id == "000.jpg"
        assert "taken by another picture" in report.failures[0].reason
        assert len(report.failures) == 1
    assert (tmp_path / "out2" / "051.jpg").exists()
    assert not (tmp_path / "out2" / "000.jpg").exists()
    assert [row for row in facts(archive) if row[0] != "051.jpg"] == recorded
    assert contents(tmp_path / "out") == written


@pytest.mark.parametrize("there", ["file", "folder", "dangling link"])
def test_an_existing_different_file_is_never_overwritten(archive, photos, tmp_path, there):
    out = tmp_path / "out"
    out.mkdir()
    if there == "file":
        (out / "001.jpg").write_bytes(b"mine")
    elif there == "folder":
        (out / "001.jpg").mkdir()
    else:
        (out / "001.jpg").symlink_to(tmp_path / "nowhere")
    report = archive.release(photos, out=out)
    assert [outcome.id for outcome in report.failures] == ["001.jpg"]
    assert "exists and is another file" in report.failures[0].reason
    assert sorted(row.id for row in archive.entries()) == [
        "000.jpg",
        "002.jpg",
        "003.jpg",
        "004.jpg",
    ]
    assert (out / "001.jpg").is_symlink() == (there == "dangling link")
    assert not (tmp_path / "nowhere").exists()
    if there == "file":
        assert (out / "001.jpg").read_bytes() == b"mine"
    assert archive.verify().clean


def test_a_file_where_a_folder_is_wanted_costs_that_picture(archive, tmp_path):
    photos = make_pictures(tmp_path / "photos" / "sub", 1).parent
    make_pictures(photos, 1, first=7)
    out = tmp_path / "out"
    out.mkdir()
    (out / "sub").write_bytes(b"mine")
    for status in ("released", "skipped"):  # the second run finds nothing unfinished
        report = archive.release(photos, out=out)
        assert {o.id: o.status for o in report} == {"007.jpg": status, "sub/000.jpg": "failed"}
    assert contents(out).keys() == {"007.jpg", "sub"}


def test_a_name_too_long_for_the_file_system_costs_that_picture(archive, tmp_path):
    photos = make_pictures(tmp_path / "photos", 1)
    long = f"{'a' * 251}.png"
    picture(9).save(photos / long)
    out = tmp_path / "out"
    for status in ("released", "skipped"):
        report = archive.release(photos, out=out, format="webp")
        assert {o.id: o.status for o in report} == {"000.jpg": status, long: "failed"}
        (reason,) = (o.reason for o in report if o.status == "failed")
        assert reason.endswith("rename the picture, or release into another folder")
    assert contents(out).keys() == {"000.webp"}
    assert archive.verify().clean


def test_an_added_picture_may_be_released_later(archive, photos, tmp_path):
    archive.add(photos)
    archive.release(photos / "002.jpg", out=tmp_path / "out")
    states = {row.id: row.state for row in archive.entries()}
    assert states.pop("002.jpg") == "released"
    assert set(states.values()) == {"added"}
    assert len(archive) == SEED_PICTURES
    assert archive.search(tmp_path / "out" / "002.jpg", k=1)[0].state == "released"
    assert statuses(archive.add(photos)) == ["skipped"] * SEED_PICTURES
    assert archive.entry("002.jpg").state == "released"
    assert archive.verify().clean


def test_a_missing_released_file_is_written_again(archive, photos, tmp_path):
    archive.release(photos, out=tmp_path / "out")
    recorded, written = facts(archive), contents(tmp_path / "out")
    (tmp_path / "out" / "001.jpg").unlink()
    assert [p.id for p in archive.verify().problems] == ["001.jpg"]
    report = archive.release(photos, out=tmp_path / "out")
    assert statuses(report) == ["skipped", "released", "skipped", "skipped", "skipped"]
    assert contents(tmp_path / "out") == written
    assert facts(archive) == recorded
    assert archive.verify().clean


def test_a_seed_decides_the_bytes(create, photos, tmp_path):
    outs = []
    for number, seed in enumerate((0, 0, 1)):
        create(f"archive{number}").release(photos, out=tmp_path / f"out{number}", seed=seed)
        outs.append(contents(tmp_path / f"out{number}"))
    assert outs[0] == outs[1]
    assert all(outs[0][name] != outs[2][name] for name in outs[0])


def test_remove_leaves_the_file_and_frees_the_id(archive, photos, tmp_path):
    archive.release(photos, out=tmp_path / "out")
    written = contents(tmp_path / "out")
    assert archive.remove(["001.jpg", "nobody", "001.jpg", "003.jpg"]) == ("001.jpg", "003.jpg")
    assert contents(tmp_path / "out") == written
    assert len(archive) == SEED_PICTURES - 2
    assert "001.jpg" not in [h.id for h in archive.search(photos / "001.jpg", k=5, probes=8)]
    with pytest.raises(homing.EntryNotFoundError, match=r"001\.jpg"):
        archive.entry("001.jpg")
    assert archive.remove(["001.jpg"]) == ()
    assert archive.remove([]) == ()
    # The same file is there already: it is recorded again and not written again.
    stamp = stamps(tmp_path / "out")
    report = archive.release(photos, out=tmp_path / "out")
    assert statuses(report).count("released") == 2
    assert stamps(tmp_path / "out") == stamp


@pytest.mark.parametrize("below", ["", "released", "a/b"])
def test_an_output_folder_inside_the_photos_is_refused(archive, photos, below):
    with pytest.raises(homing.UsageError, match="lies inside"):
        archive.release(photos, out=photos / below)
    assert len(archive) == 0
    assert sorted(contents(photos)) == [f"{n:03}.jpg" for n in range(SEED_PICTURES)]


def test_an_output_folder_inside_the_photos_by_way_of_a_link_is_refused(archive, photos, tmp_path):
    (tmp_path / "link").symlink_to(photos)
    with pytest.raises(homing.UsageError, match="lies inside"):
        archive.release(photos, out=tmp_path / "link" / "out")


def test_an_output_folder_inside_the_archive_is_refused(archive, photos):
    with pytest.raises(homing.UsageError, match="lies inside"):
        archive.release(photos, out=archive.path / "out")


def test_an_output_that_is_a_file_or_below_one_is_refused(archive, photos, tmp_path):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(homing.UsageError):
            archive.release(photos, out=out)


@pytest.mark.parametrize(
    "wrong",
    [
        {"psnr": 10},
        {"psnr": float("nan")},
        {"psnr": 500},
        {"method": "nobody"},
        {"seed": -1},
        {"format": "gif"},
    ],
)
def test_settings_that_make_no_sense_are_wrong_use(archive, photos, tmp_path, wrong):
    with pytest.raises(homing.UsageError):
        archive.release(photos, out=tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


def test_no_pictures_are_wrong_use(archive, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(homing.UsageError, match="no picture was found"):
        archive.add(tmp_path / "empty")
    with pytest.raises(homing.UsageError, match="no pictures were given"):
        archive.add()
    with pytest.raises(homing.UsageError, match="there is no file or folder"):
        archive.add(tmp_path / "missing")


def test_one_id_for_two_pictures_is_wrong_use(archive, tmp_path):
    a, b = make_pictures(tmp_path / "a", 1), make_pictures(tmp_path / "b", 1)
    with pytest.raises(homing.UsageError, match=r"000\.jpg.*stand for both"):
        archive.add([a, b])


ODD_NAMES = [
    "-dash.jpg",
    "it's.jpg",
    'quo"te.jpg',
    "new\nline.jpg",
    "back\\slash.jpg",
    "per%cent%41.jpg",
    " space .jpg",
    "Ünïcode 图片.jpg",
    "semi;colon--.jpg",
    "no-suffix",
    b"byte\xff.jpg",
]


def test_names_of_any_kind_are_ids_and_files(archive, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed, name in enumerate(ODD_NAMES):
        text = name.decode(errors="surrogateescape") if isinstance(name, bytes) else name
        with (photos / text).open("xb") as file:
            picture(seed).save(file, "JPEG", quality=92)
    report = archive.release(photos, out=tmp_path / "out")
    assert statuses(report) == ["released"] * len(ODD_NAMES)
    assert contents(tmp_path / "out").keys() == contents(photos).keys()
    assert archive.verify().clean
    ids = {row.id for row in archive.entries()}
    assert ids >= {name for name in ODD_NAMES if isinstance(name, str)}
    assert "byte\\xff.jpg" in ids
    assert statuses(archive.release(photos, out=tmp_path / "out")) == ["skipped"] * len(ODD_NAMES)
    for entry in ids:
        assert archive.entry(entry).id == entry
        assert archive.remove([entry]) == (entry,)
    assert len(archive) == 0


@pytest.mark.parametrize(("word", "kind"), [("png", "PNG"), ("webp", "WEBP"), ("tiff", "TIFF")])
def test_another_format_is_written_on_request(archive, photos, tmp_path, word, kind):
    report = archive.release(photos / "000.jpg", out=tmp_path / "out", format=word)
    (file,) = (tmp_path / "out").iterdir()
    assert file.stem == "000"
    assert file.suffix != ".jpg"
    with Image.open(file) as image:
        assert image.format == kind
        assert image.size == (96, 72)
    assert report.outcomes[0].psnr >= 42
    assert archive.verify().clean


def test_limits_cost_the_picture_beyond_them(archive, tmp_path):
    photos = make_pictures(tmp_path / "photos", 1)
    picture(3, (200, 100)).save(photos / "large.png")
    limits = homing.Limits(max_pixels=10_000)
    for report in (
        archive.release(photos, out=tmp_path / "out", limits=limits),
        archive.add(photos, limits=limits),
    ):
        assert [o.id for o in report.failures] == ["large.png"]
        assert "10,000" in report.failures[0].reason or "10000" in report.failures[0].reason
    with pytest.raises(homing.PictureError):
        archive.search(photos / "large.png", limits=limits)


def test_pictures_in_memory_are_searched_too(archive, photos):
    archive.add(photos)
    data = (photos / "002.jpg").read_bytes()
    found = {archive.search(query, k=1)[0].id for query in (data, Image.open(io.BytesIO(data)))}
    assert found == {"002.jpg"}


def test_a_search_sees_what_another_has_written_meanwhile(archive, photos, tmp_path):
    reader = homing.open(archive.path)
    assert reader.search(photos / "000.jpg") == ()
    archive.add(photos)
    assert reader.search(photos / "000.jpg", k=1)[0].id == "000.jpg"
    archive.remove(["000.jpg"])
    assert "000.jpg" not in [hit.id for hit in reader.search(photos / "000.jpg", probes=8)]


def test_a_commit_in_the_middle_of_a_search_mixes_up_nothing(archive, photos, monkeypatch):
    """Positions are those of the snapshot searched; the next may number its entries anew."""
    from homing.archive.query.snapshot import Snapshot

    archive.add(photos)
    writer, search = homing.open(archive.path), Snapshot.search

    def searched(self, *arguments, **options):
        found = search(self, *arguments, **options)
        writer.remove(["000.jpg", "001.jpg", "002.jpg"])
        return found

    monkeypatch.setattr(Snapshot, "search", searched)
    cells = {row.id: row.cell for row in writer.entries()}
    hits = archive.search(photos / "004.jpg", k=5, probes=8)
    assert len(hits) == SEED_PICTURES
    assert {hit.id: hit.cell for hit in hits} == cells


def test_statistics_count_what_is_there(archive, photos, tmp_path):
    archive.add(photos)
    archive.release(photos / "002.jpg", out=tmp_path / "out")
    values = archive.stats()
    assert values["entries"] == SEED_PICTURES
    assert (values["released"], values["added"]) == (1, SEED_PICTURES - 1)
    assert values["cells"] == 8
    assert 1 <= values["cells_used"] <= 5
    assert values["psnr_least"] == values["psnr_mean"] >= 42
    assert values["bytes_on_disk"] == sum(map(len, contents(archive.path).values()))


def test_compaction_changes_no_answer(archive, photos):
    for name in sorted(p.name for p in photos.iterdir()):
        archive.add(photos / name)
    archive.remove(["001.jpg"])
    before = facts(archive)
    query = photos / "001.jpg"
    hits = archive.search(query, k=4, probes=8)
    values = archive.compact()
    assert values["files_removed"] >= 2
    assert values["bytes_freed"] > 0
    assert facts(archive) == before
    assert archive.search(query, k=4, probes=8) == hits
    assert len(list((archive.path / "entries.lance" / "data").iterdir())) == 1


def test_an_archive_and_its_files_move_together(create, photos, tmp_path):
    archive = create("house/archive")
    archive.release(photos, out=tmp_path / "house" / "out")
    (tmp_path / "house").rename(tmp_path / "mansion")
    moved = homing.open(tmp_path / "mansion" / "archive")
    verified = moved.verify()
    assert verified.clean
    assert verified.files == SEED_PICTURES


@pytest.mark.parametrize(("seconds", "commits"), [(1e9, 1), (0.0, 20)])
def test_files_are_staged_as_they_come_and_recorded_before_long(
    archive, tmp_path, monkeypatch, seconds, commits
):
    monkeypatch.setattr(running, "WAITS", (seconds,))
    events = []

    def noting(owner, name, event):
        function = getattr(owner, name)

        def noted(*arguments, **options):
            events.append(event)
            return function(*arguments, **options)

        monkeypatch.setattr(owner, name, noted)

    noting(Staging, "write", "staged")
    noting(Staging, "commit", "committed")
    noting(Activator, "_describe", "activated")  # once a batch
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # one worker: batches are begun in their order
    try:
        archive.release(make_pictures(tmp_path / "many", 20), out=tmp_path / "out")
    finally:
        torch.set_num_threads(threads)
    assert events.count("staged") == 20
    assert events.count("committed") == commits
    batches = [number for number, event in enumerate(events) if event == "activated"]
    assert len(batches) == 5
    # One batch is in work and one waits; earlier ones are staged, not held in memory.
    assert events[: batches[-1]].count("staged") >= 8


def test_one_release_serves_further_codebooks(archive, create, network, codebook, photos, tmp_path):
    further = homing.train_codebook(
        unit_vectors(600, 2), "PCA32,LSH", descriptor=network.fingerprint
    )
    file = further.save(tmp_path / "partner.safetensors")
    report = archive.release(photos, out=tmp_path / "out", also=[file])
    assert statuses(report) == ["released"] * SEED_PICTURES
    assert [outcome.also_kept for outcome in report] == [(True,)] * SEED_PICTURES  # it has one cell
    for row in archive.entries():
        cells, codes = codebook.encode_with_cells(archive.entry(row.id).vector[None])
        assert (row.cell, row.code) == (int(cells[0]), codes[0].tobytes())
    assert archive.verify().clean
    alone = create("alone")
    alone.release(photos, out=tmp_path / "alone-out")
    assert contents(tmp_path / "alone-out") != contents(tmp_path / "out")
    given = create("given")
    given.release(
        photos, out=tmp_path / "given-out", also=further
    )  # a loaded codebook, not in a list
    assert contents(tmp_path / "given-out") == contents(tmp_path / "out")


def test_a_further_codebook_of_another_descriptor_is_named(archive, photos, tmp_path):
    stranger = homing.train_codebook(unit_vectors(600, 2), "IVF4,Flat", descriptor="e" * 64)
    file = stranger.save(tmp_path / "stranger.safetensors")
    with pytest.raises(homing.CodebookError) as refused:
        archive.release(photos, out=tmp_path / "out", also=[file])
    for part in (str(file), "IVF4,Flat", "e" * 64, archive.settings.descriptor_fingerprint):
        assert part in str(refused.value)
    with pytest.raises(homing.UsageError, match="twice"):
        archive.release(photos, out=tmp_path / "out", also=archive.codebook)
    assert not (tmp_path / "out").exists()
    assert len(archive) == 0


def test_the_file_of_another_entry_is_seen_before_the_work(archive, tmp_path, monkeypatch):
    first, second = (make_pictures(tmp_path / name, 1) for name in ("first", "second"))
    picture(5).save(second / "000.png")
    (second / "000.jpg").unlink()
    out = tmp_path / "out"
    assert archive.release(first, out=out, format="png", method="paper").count("released") == 1
    monkeypatch.setattr(Activator, "run", lambda self, sources, worked: iter(list(sources)[:0]))
    (outcome,) = archive.release(second, out=out, format="png", method="paper")
    assert outcome.status == "failed"
    assert (
        outcome.reason == f"{out / '000.png'} is the file of '000.jpg'; release into another folder"
    )
