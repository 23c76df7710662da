"""Releases by real processes that die in the middle, and the same command run again."""

import random
import time

import pytest

import homing
from tests.helpers.archive import DYING, child, completed, contents, facts
from tests.helpers.pictures import make_pictures

COUNT = 13
#: Several commits in one run, so that some of them are done before a crash.
SMALL_COMMITS = "import homing.archive.ingest.release as releasing\nreleasing._COMMIT = 4\n"

#: Points at which a run dies: Python that wraps the step just before each of them.
DIE = f"""
import homing.archive.ingest.staging as staging
import homing.archive.previews.record as record
import homing.archive.previews.store as store
import homing.files.run_folders as folders
{DYING}"""
POINTS = {
    "with its folder made, no lock": "dying(folders, '_lock_in', 1, after=False)",
    "with its lock only": "dying(staging, 'new_folder', 1)",
    "in the middle of staging": "dying(staging, 'write_durably', 2)",
    "all staged": "dying(staging, '_write_journal', 1, after=False)",
    "journal not yet in its place": "dying(staging, 'write_durably', 5)",
    "journal written": "dying(staging, '_write_journal', 1)",
    "one file published": "dying(staging, 'publish', 1)",
    "second commit, some files published": "dying(staging, 'publish', 7)",
    "all published, nothing committed": "dying(releasing, 'record_rows', 1, after=False)",
    "published, in the middle of a pack": "dying(store, 'write_durably', 1)",
    "published, pack written and no row": "dying(record, 'commit_rows', 1, after=False)",
    "published, second pack written": "dying(record, 'commit_rows', 2, after=False)",
    "committed, journal still there": "dying(releasing, 'record_rows', 1)",
    "second commit, journal still there": "dying(releasing, 'record_rows', 2)",
    "journal removed, staged names not": "dying(staging, '_publish_and_commit', 2)",
    "all done but for the folder": "dying(folders.HeldFolder, 'remove', 1, after=False)",
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = make_pictures(tmp_path_factory.mktemp("crash") / "photos", COUNT)
    make_pictures(folder, 1, first=COUNT, suffix=".png")
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, network_file, codebook, photos):
    """Files and rows of a run without a crash."""
    folder = tmp_path_factory.mktemp("undisturbed")
    archive = homing.create(folder / "archive", descriptor=network_file, codebook=codebook)
    archive.release(photos, out=folder / "out")
    return contents(folder / "out"), facts(archive)


def check(archive, out, undisturbed):
    opened = homing.open(archive.path)
    assert contents(out) == undisturbed[0]  # no staging folder, no file more or less
    assert facts(opened) == undisturbed[1]
    assert len(opened) == COUNT + 1
    verified = opened.verify()
    assert verified.clean
    assert verified.files == verified.previews == COUNT + 1
    opened.compact()  # nothing is left of what the dead run has written
    assert all(each.startswith("previews/") for each in contents(archive.path) if ".p" in each)
    assert len(opened.preview_store.packs()) == len({row.preview[:41] for row in opened.entries()})
    assert opened.verify().clean


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_run_that_dies_at_a_certain_point(archive, photos, tmp_path, undisturbed, point):
    out = tmp_path / "out"
    command = ["release", archive.path, photos, "--out", out]
    process = child(command, before=SMALL_COMMITS + DIE + POINTS[point])
    process.communicate(timeout=120)
    assert process.returncode == 77
    rows = {row.file_sha256 for row in archive.entries()}
    if "journal" not in point and "published" not in point:
        # Before the journal is written and after it is removed each row has its file. In between
        # files may be ahead of their rows, but rows are never ahead of their files.
        assert len(rows) == len(list(out.glob("[!.]*.*g")))
    for row in archive.entries():
        assert (out / row.id).is_file()
    archive.release(photos, out=out)
    check(archive, out, undisturbed)
    assert archive.release(photos, out=out).count("skipped") == COUNT + 1


def test_a_run_that_dies_and_whose_recovery_dies_too(archive, photos, tmp_path, undisturbed):
    command = ["release", archive.path, photos, "--out", tmp_path / "out"]
    for before in (
        POINTS["second commit, some files published"],
        POINTS["committed, journal still there"],
    ):
        process = child(command, before=SMALL_COMMITS + DIE + before)
        process.communicate(timeout=120)
        assert process.returncode == 77
    archive.release(photos, out=tmp_path / "out")
    check(archive, tmp_path / "out", undisturbed)


def kill_at_random(archive, photos, out, *, seed, wanted):
    """Kill a release at random instants until `wanted` kills have struck while it worked."""
    generator = random.Random(seed)
    command = ["release", archive.path, photos, "--out", out]
    struck = 0
    for _ in range(6 * wanted):
        process = child(command, before=SMALL_COMMITS)
        known = set(out.glob(".homing-*"))
        while process.poll() is None and set(out.glob(".homing-*")) <= known:
            time.sleep(0.002)
        time.sleep(generator.uniform(0, 0.5))
        process.kill()
        process.communicate()
        struck += process.returncode == -9
        if process.returncode == 0:  # it finished first: the next run gets new work
            archive.remove([row.id for row in archive.entries()])
            for file in out.iterdir():
                file.unlink()
        if struck == wanted:
            return
    pytest.fail("every run was quicker than its killer")


def test_kill_at_random_instants(archive, photos, tmp_path, undisturbed):
    out = tmp_path / "out"
    kill_at_random(archive, photos, out, seed=1, wanted=2)
    status, _, err = completed(child(["release", archive.path, photos, "--out", out]))
    assert status == 0, err
    check(archive, out, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_kill_at_many_more_random_instants(archive, photos, tmp_path, undisturbed, seed):
    out = tmp_path / "out"
    kill_at_random(archive, photos, out, seed=seed, wanted=5)
    status, _, err = completed(child(["release", archive.path, photos, "--out", out]))
    assert status == 0, err
    check(archive, out, undisturbed)


def test_another_archive_does_not_take_what_a_run_has_left(create, photos, tmp_path, undisturbed):
    ours, theirs = create("ours"), create("theirs")
    out = tmp_path / "out"
    process = child(
        ["release", theirs.path, photos, "--out", out],
        before=SMALL_COMMITS + DIE + POINTS["all published, nothing committed"],
    )
    process.communicate(timeout=120)
    assert process.returncode == 77
    more = make_pictures(tmp_path / "more", 2, first=90)
    ours.release(more, out=out)
    assert [row.id for row in ours.entries()] == ["090.jpg", "091.jpg"]
    theirs.release(photos, out=out)
    assert len(theirs) == COUNT + 1
    for archive in (ours, theirs):
        assert archive.verify().clean
    assert not list(out.glob(".homing-*"))


def test_an_add_that_is_killed_goes_on(archive, photos):
    command = ["add", archive.path, photos]
    process = child(
        command,
        before="import homing.archive.ingest.add as adding\nadding._COMMIT = 4\n"
        + DIE
        + "dying(adding, 'record_rows', 2)",
    )
    process.communicate(timeout=120)
    assert process.returncode == 77
    assert len(homing.open(archive.path)) == 8
    report = archive.add(photos)
    assert (report.count("skipped"), report.count("added")) == (8, COUNT + 1 - 8)
    assert archive.verify().clean


@pytest.mark.parametrize("point", ["pack written, no row", "in the middle of a pack"])
def test_an_add_that_is_killed_beside_its_pack_leaves_what_compacting_removes(
    archive, photos, point
):
    before = DIE.replace("os._exit(77)", "os.kill(os.getpid(), 9)") + (
        "dying(record, 'commit_rows', 2, after=False)"
        if "no row" in point
        else "dying(store, 'write_durably', 2)"
    )
    process = child(
        ["add", archive.path, photos],
        before="import homing.archive.ingest.add as adding\nadding._COMMIT = 4\n" + before,
    )
    process.communicate(timeout=120)
    assert process.returncode == -9
    opened = homing.open(archive.path)
    assert len(opened) == 4
    assert opened.verify().clean  # a row never names a preview that is not there
    files = list((archive.path / "previews").iterdir())
    assert len(files) == 2
    freed = opened.compact()
    assert (freed["packs_removed"], len(opened.preview_store.packs())) == (int("no" in point), 1)
    assert len(list((archive.path / "previews").iterdir())) == 1
    opened.add(photos)
    assert opened.verify().previews == COUNT + 1
