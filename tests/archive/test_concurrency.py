"""Several real processes that use one archive and one output folder at the same time."""

import pytest

import homing
from tests.helpers.archive import child, completed, contents, facts
from tests.helpers.pictures import make_pictures

#: Small commits, so that processes meet often; all start at once, when a file appears.
MEETING = """
import homing.archive.ingest.release as releasing, homing.archive.ingest.add as adding, os, time
import homing.descriptors, homing.activation
releasing._COMMIT = adding._COMMIT = 3
while not os.path.exists({signal!r}):
    time.sleep(0.002)
"""


def together(tmp_path, *commands):
    """Run commands at the same time; return status, output and errors of each."""
    signal = tmp_path / "signal"
    before = MEETING.format(signal=str(signal))
    processes = [child(command, before=before) for command in commands]
    signal.touch()
    ended = [completed(process) for process in processes]
    signal.unlink()
    return ended


@pytest.fixture
def photos(tmp_path):
    return make_pictures(tmp_path / "photos", 14)


def ids(archive):
    return sorted(row.id for row in homing.open(archive.path).entries())


NAMES = [f"{n:03}.jpg" for n in range(14)]


@pytest.mark.parametrize("count", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_the_same_pictures_released_by_several(archive, create, photos, tmp_path, count):
    out = tmp_path / "out"
    command = ["release", archive.path, photos, "--out", out]
    for status, _, err in together(tmp_path, *[command] * count):
        assert status == 0, err
    assert ids(archive) == NAMES
    whole = create("whole")
    whole.release(photos, out=tmp_path / "whole-out")
    assert contents(out) == contents(tmp_path / "whole-out")
    assert homing.open(archive.path).verify().clean


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_the_same_pictures_added_by_several(archive, photos, tmp_path, count):
    command = ["add", archive.path, photos]
    for status, _, err in together(tmp_path, *[command] * count):
        assert status == 0, err
    assert ids(archive) == NAMES
    assert homing.open(archive.path).verify().clean


def test_different_pictures_lose_nothing(archive, photos, tmp_path):
    other = make_pictures(tmp_path / "other", 14, first=40)
    third = make_pictures(tmp_path / "third", 14, first=80)
    out = tmp_path / "out"
    ended = together(
        tmp_path,
        ["release", archive.path, photos, "--out", out],
        ["release", archive.path, other, "--out", out],
        ["add", archive.path, third],
    )
    for status, _, err in ended:
        assert status == 0, err
    assert len(ids(archive)) == len(set(ids(archive))) == 42
    assert contents(out).keys() == contents(photos).keys() | contents(other).keys()
    verified = homing.open(archive.path).verify()
    assert verified.clean
    assert verified.files == 28


def test_released_by_one_and_added_by_another_is_released(archive, photos, tmp_path):
    out = tmp_path / "out"
    ended = together(
        tmp_path,
        ["release", archive.path, photos, "--out", out],
        ["add", archive.path, photos],
        ["add", archive.path, photos],
    )
    for status, _, err in ended:
        assert status == 0, err
    opened = homing.open(archive.path)
    assert ids(archive) == NAMES
    assert {row.state for row in opened.entries()} == {"released"}
    assert opened.verify().files == 14


def test_one_id_for_two_pictures_is_given_once_and_the_other_gets_a_reason(
    archive, photos, tmp_path
):
    other = make_pictures(tmp_path / "other", 14, first=40)
    for number, file in enumerate(sorted(other.iterdir())):
        file.rename(other / NAMES[number])
    ended = together(
        tmp_path,
        ["release", archive.path, photos, "--out", tmp_path / "out"],
        ["release", archive.path, other, "--out", tmp_path / "out2"],
    )
    assert ids(archive) == NAMES
    verified = homing.open(archive.path).verify()
    assert verified.clean
    files = [*contents(tmp_path / "out"), *contents(tmp_path / "out2")]
    assert sorted(files) == NAMES  # no file is published without its row
    failures = sum(err.count("failed  ") for _, _, err in ended)
    reasons = sum(err.count("taken by another picture") for _, _, err in ended)
    assert failures == reasons == 14


def test_searching_removing_and_compacting_beside_a_writer(archive, photos, tmp_path):
    archive.add(make_pictures(tmp_path / "old", 6, first=60))
    ended = together(
        tmp_path,
        ["add", archive.path, photos],
        ["remove", archive.path, "060.jpg", "061.jpg"],
        ["compact", archive.path],
        ["search", archive.path, photos, "--probes", "8", "--json"],
    )
    for status, _, err in ended:
        assert status == 0, err
    assert ids(archive) == [*NAMES, "062.jpg", "063.jpg", "064.jpg", "065.jpg"]
    assert homing.open(archive.path).verify().clean


def test_an_archive_made_by_two_at_once_is_made_once(tmp_path, network_file, codebook):
    codebook.save(tmp_path / "book.safetensors")
    command = ["init", tmp_path / "new"]
    command += ["--descriptor", network_file, "--codebook", tmp_path / "book.safetensors"]
    ended = together(tmp_path, command, command)
    assert sorted(status for status, _, _ in ended) == [0, 2]
    refusal = next(err for status, _, err in ended if status == 2)
    assert "archive" in refusal
    assert len(homing.open(tmp_path / "new")) == 0
    assert not list(tmp_path.glob(".new-*"))


#: Repeats a step in a thread beside the command that follows.
AGAIN = """
import homing
beside = homing.open({archive!r})
for number in range(30):
    {what}
    time.sleep(0.02)
"""


def test_releasing_beside_one_that_compacts_again_and_again(archive, create, photos, tmp_path):
    out, signal = tmp_path / "out", tmp_path / "signal"
    meeting = MEETING.format(signal=str(signal))
    again = AGAIN.format(archive=str(archive.path), what="beside.compact()")
    processes = [
        child(["release", archive.path, photos, "--out", out], before=meeting),
        child(["stats", archive.path], before=meeting + again),
    ]
    signal.touch()
    for process in processes:
        status, _, err = completed(process)
        assert status == 0, err
    whole = create("whole")
    whole.release(photos, out=tmp_path / "whole-out")
    assert contents(out) == contents(tmp_path / "whole-out")
    assert facts(homing.open(archive.path)) == [
        tuple(str(v).replace("whole-out", "out") if isinstance(v, str) else v for v in row)
        for row in facts(whole)
    ]
    assert homing.open(archive.path).verify().clean


def test_releasing_beside_one_that_removes_what_it_finds(archive, photos, tmp_path):
    out, signal = tmp_path / "out", tmp_path / "signal"
    meeting = MEETING.format(signal=str(signal))
    what = "beside.remove([r.id for r in beside.entries()][::2])"
    again = AGAIN.format(archive=str(archive.path), what=what)
    command = ["release", archive.path, photos, "--out", out]
    processes = [
        child(command, before=meeting),
        child(["stats", archive.path], before=meeting + again),
    ]
    signal.touch()
    for process in processes:
        status, _, err = completed(process)
        assert status == 0, err
    assert set(ids(archive)) <= set(NAMES)
    assert len(ids(archive)) == len(set(ids(archive)))
    assert homing.open(archive.path).verify().clean
    # Files of removed entries stay; releasing again records all of them.
    status, _, err = completed(child(command))
    assert status == 0, err
    assert ids(archive) == NAMES
    assert sorted(contents(out)) == NAMES
    assert homing.open(archive.path).verify().clean


@pytest.mark.slow
def test_folders_that_overlap_are_released_by_two(archive, photos, tmp_path):
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("path\n" + "\n".join(NAMES[:10]))
    second.write_text("path\n" + "\n".join(NAMES[:3:-1]))
    out = tmp_path / "out"
    command = ["release", archive.path, photos, "--out", out, "--manifest"]
    for status, _, err in together(tmp_path, [*command, first], [*command, second]):
        assert status == 0, err
    assert ids(archive) == NAMES
    assert sorted(contents(out)) == NAMES
    assert homing.open(archive.path).verify().files == 14
