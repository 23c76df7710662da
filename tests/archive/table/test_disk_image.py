"""Power cuts on a real filesystem: its image is copied, and the copy mounted.

Needs the rights to mount a loop device.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import homing
from tests.helpers.archive import child, completed, facts
from tests.helpers.pictures import make_pictures
from tests.helpers.vectors import unit_vectors

MEGABYTES = 96
INSTANTS = (0, 1, 5, 10, 20, 40)  # seconds after a command has returned


def run(*arguments: object) -> None:
    subprocess.run([*map(str, arguments)], check=True, capture_output=True)


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    run("mount", "-o", "loop", image, place)
    try:
        yield place
    finally:
        run("umount", place)


@pytest.fixture
def image(tmp_path) -> Path:
    """An ext4 file system in a file."""
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(MEGABYTES << 20)
    try:
        run("mkfs.ext4", "-q", image)
        with mounted(image, tmp_path / "trial"):
            pass
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no loop device can be mounted here: {error}")
    return image


def commands(
    home: Path, tmp_path: Path, network_file: Path, codebook
) -> Iterator[tuple[str, list]]:
    """Command lines, each run to its end in a process of its own."""
    archive = home / "archive"
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    codebook.save(first)
    homing.train_codebook(unit_vectors(600, 2), "IVF8,PQ16x8", descriptor=codebook.descriptor).save(
        second
    )
    photos, others = make_pictures(tmp_path / "photos", 4), tmp_path / "others"
    make_pictures(others, 210, first=50)
    yield "init", ["init", archive, "--descriptor", network_file, "--codebook", first]
    yield "release", ["release", archive, photos, "--out", home / "out" / "deep", "--psnr", "40"]
    yield "add", ["add", archive, others]
    yield "calibrate", ["calibrate", archive]
    yield "index", ["index", archive]
    run_in_full(["export", archive, tmp_path / "rows.parquet"])
    yield "remove", ["remove", archive, "001.jpg", "050.jpg"]
    yield "compact", ["compact", archive]
    yield "adopt", ["codebook", "adopt", archive, second]
    yield "import", ["import", archive, tmp_path / "rows.parquet"]


def run_in_full(arguments: list) -> None:
    status, _, err = completed(child(arguments), timeout=300)
    assert status == 0, err


def state_of(home: Path, kept: Path) -> tuple:
    """Read a copy: Lance keeps files open, which cannot be unmounted."""
    shutil.copytree(home, kept, ignore=shutil.ignore_patterns("lost+found"))
    archive = homing.open(kept / "archive")
    found = archive.verify()
    assert found.clean, found.problems
    calibration = kept / "archive" / "calibration.json"
    text = calibration.read_bytes() if calibration.exists() else None
    state = found, facts(archive), archive.generations, archive.unindexed, text
    shutil.rmtree(kept)
    return state


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_nothing_acknowledged_is_lost_whenever_the_power_fails(
    image, tmp_path, network_file, codebook
):
    """Of nine commands, six instants each."""
    opened = 0
    with mounted(image, tmp_path / "home") as home:
        for command, arguments in commands(home, tmp_path, network_file, codebook):
            run_in_full(arguments)
            returned = time.monotonic()
            copies = []
            for instant in INSTANTS:
                time.sleep(max(0, returned + instant - time.monotonic()))
                copies.append(tmp_path / f"{instant}.img")
                # Of the file below the loop device: what the file system has not written is lost.
                shutil.copyfile(image, copies[-1])
            expected = state_of(home, tmp_path / "kept")
            for copy in copies:
                with mounted(copy, tmp_path / "left") as left:
                    found = state_of(left, tmp_path / "kept")
                assert found == expected, (command, copy.name)
                opened += 1
                copy.unlink()
    assert opened == 9 * len(INSTANTS)
