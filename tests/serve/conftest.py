"""A service with eight entries, and an archive without any."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import homing
from homing.options import Limits
from homing.serve.settings import Settings
from tests.helpers.service import Live, encoded, picture
from tests.helpers.vectors import unit_vectors


@pytest.fixture(scope="session")
def empty_archive(tmp_path_factory: pytest.TempPathFactory, network_file: Path) -> Path:
    """An archive without entries. Tests that write to it copy it first."""
    descriptor = homing.load_descriptor(network_file)
    codebook = homing.train_codebook(
        unit_vectors(600, 0), "IVF8,PQ8x8", descriptor=descriptor.fingerprint
    )
    folder = tmp_path_factory.mktemp("empty")
    homing.create(folder / "archive", descriptor=network_file, codebook=codebook)
    return folder / "archive"


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, empty_archive: Path) -> Iterator[Live]:
    """A service of eight entries: 0 to 4 released, 5 to 7 added; the file of 7 is missing."""
    import shutil

    folder = tmp_path_factory.mktemp("live")
    shutil.copytree(empty_archive, folder / "archive")
    archive = homing.open(folder / "archive")
    for name in ("released", "added"):
        (folder / name / "sea").mkdir(parents=True)
    for number in range(8):
        where = "released" if number < 5 else "added"
        (folder / where / "sea" / f"{number}.jpg").write_bytes(encoded(picture(number)))
    archive.release(folder / "released", out=folder / "out", method="paper")
    archive.add(folder / "added")
    (folder / "added" / "sea" / "7.jpg").unlink()
    settings = Settings(
        archive=str(folder / "archive"),
        folder=folder / "served",
        no_keys=True,
        limits=Limits(max_pixels=1_000_000, max_bytes=300_000),
        most_bytes=1_000_000,
        workers=1,
        seconds=20,
        saved_searches=3,
        files=(folder / "added",),
    )
    with Live(settings) as running:
        yield running
