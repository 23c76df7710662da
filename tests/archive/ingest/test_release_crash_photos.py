"""Releases and adds under `kill -9`: photographs, the bundled descriptor, the real command.

At the size of a real folder, with commits as large as in a real run::

    HOMING_CRASH_RELEASED=150 HOMING_CRASH_ADDED=100 \\
        pytest tests/archive/ingest/test_release_crash_photos.py
"""

import os
import random
import time
from pathlib import Path

import pytest

import homing
from tests.helpers.archive import child, completed, contents, facts

RELEASED = int(os.environ.get("HOMING_CRASH_RELEASED", "24"))
ADDED = int(os.environ.get("HOMING_CRASH_ADDED", "20"))
KILLS = 5
#: Small commits, so that a small folder takes several of them, as a large one does.
COMMITS = "" if RELEASED >= 150 else "import homing.archive.ingest.release as r\nr._COMMIT = 5\n"


def linked(folder: Path, sources: list[Path]) -> Path:
    """Make a folder of links to photographs, so that none is copied."""
    folder.mkdir()
    for source in sources:
        (folder / source.name).symlink_to(source)
    return folder


@pytest.fixture
def ours(photos, tmp_path):
    return linked(tmp_path / "ours", sorted((photos / "dev").iterdir())[:RELEASED])


@pytest.fixture
def make_archive(photos, tmp_path):
    """``make_archive(name)``: an archive that already holds other pictures."""
    others = linked(tmp_path / "others", sorted((photos / "train").iterdir())[:ADDED])

    def make(name: str) -> Path:
        homing.create(tmp_path / name)
        succeed(["add", tmp_path / name, others])
        return tmp_path / name

    return make


def succeed(command) -> tuple[str, str]:
    """Run a command to its end; return its output and errors."""
    status, out, err = completed(child(command, before=COMMITS), timeout=600)
    assert status == 0, err
    return out, err


def kill_within(command, out: Path, longest: float, generator: random.Random) -> int:
    """Start a command; kill it at a random instant, at most `longest` seconds after work began.

    One time in five the kill may come earlier, while the command still loads.
    """
    known = set(out.glob(".homing-*"))
    process = child(command, before=COMMITS)
    if generator.random() < 0.8:
        while process.poll() is None and set(out.glob(".homing-*")) <= known:
            time.sleep(0.01)
    time.sleep(generator.uniform(0, longest))
    process.kill()
    process.communicate()
    return process.returncode


@pytest.mark.slow
@pytest.mark.photos
@pytest.mark.timeout(1800)
def test_killed_five_times_and_run_again(make_archive, ours, tmp_path):
    expected = make_archive("undisturbed")
    start = time.perf_counter()
    succeed(["release", expected, ours, "--out", tmp_path / "expected"])
    seconds = time.perf_counter() - start

    archive, out = make_archive("archive"), tmp_path / "out"
    command = ["release", archive, ours, "--out", out]
    generator = random.Random(os.environ.get("HOMING_CRASH_SEED", "8"))
    statuses = [kill_within(command, out, seconds / KILLS, generator) for _ in range(KILLS)]
    assert statuses == [-9] * KILLS
    assert len(homing.open(archive)) < ADDED + RELEASED  # the kill left something to do
    succeed(command)

    opened = homing.open(archive)
    released = [row for row in opened.entries() if row.state == "released"]
    assert len(released) == RELEASED
    assert len(opened) == RELEASED + ADDED
    assert all(row.psnr is None or row.psnr >= 42 for row in released)
    # The same names and bytes; no staging folder, journal or temporary file.
    assert sorted(p.name for p in out.iterdir()) == sorted(p.name for p in ours.iterdir())
    assert contents(out) == contents(tmp_path / "expected")
    assert {p.name for p in archive.iterdir()} == {p.name for p in expected.iterdir()}
    assert _relative(facts(opened)) == _relative(facts(homing.open(expected)), "expected")
    assert (
        f"{RELEASED + ADDED} entries, {RELEASED + ADDED} previews and {RELEASED} released files "
        "verified, 0 problems" in succeed(["verify", archive])[1]
    )
    assert succeed(command)[0].count("skipped ") == RELEASED


def _relative(rows: list[tuple], folder: str = "out") -> list[tuple]:
    """Return rows whose files are relative to the output folder."""
    return [tuple(str(v).replace(f"../{folder}/", "") for v in row) for row in rows]
