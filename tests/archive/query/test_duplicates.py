"""Groups of entries that are copies of each other."""

import shutil

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

import homing
from homing.archive.query import near_duplicates
from tests.helpers.archive import write
from tests.helpers.vectors import DIMENSION, unit_vectors


def near(vector: np.ndarray, seed: int, noise: float = 0.01) -> np.ndarray:
    moved = vector + noise * np.random.default_rng(seed).standard_normal(DIMENSION)
    return (moved / np.linalg.norm(moved)).astype(np.float32)


@pytest.fixture
def filled(archive):
    """300 unlike entries; 7 has two copies, 40 has one, and 41 is near the copy of 40."""
    vectors = unit_vectors(300, 0)
    write(archive._table, archive.codebook, [f"{n}" for n in range(300)], vectors)
    first = near(vectors[40], 3, 0.02)
    copies = [near(vectors[7], 1), near(vectors[7], 2), first, near(first, 4, 0.02)]
    write(archive._table, archive.codebook, ["7b", "7c", "40b", "40c"], np.stack(copies))
    return archive


def ids(groups):
    return [[entry.id for entry in group.entries] for group in groups]


def test_groups_by_similarity(filled):
    done = []
    groups = filled.duplicates(similarity=0.9, progress=done.append)
    assert ids(groups) == [["7", "7b", "7c"], ["40", "40b", "40c"]]
    assert (done[-1].done, done[-1].total) == (304, 304)
    for group in groups:
        for entry in group.entries:
            assert 0.9 <= entry.similarity <= 1
            assert (entry.state, entry.verdict) == ("added", None)
            assert "no preview" in entry.reason
    assert (groups.compared, groups.by_similarity, groups.unknown) == (0, 4, 0)


def test_without_previews_the_stated_rate_decides(filled):
    unknown = filled.duplicates()  # the similarities of this descriptor mean nothing yet
    assert ids(unknown) == []
    assert unknown.unknown > 0
    filled.calibrate()
    found = filled.duplicates()
    assert ids(found) == [["7", "7b", "7c"], ["40", "40b", "40c"]]
    assert found.by_similarity >= 4
    for group in found:
        for entry in group.as_dict()["entries"]:
            assert entry["false_alarm_rate"] <= 1e-4
            assert (entry["verdict"], entry["rate_is_provisional"]) == (None, False)
    assert ids(filled.duplicates(rate=1e-300)) == []
    with pytest.raises(homing.UsageError):
        filled.duplicates(rate=0)


@pytest.fixture
def pictures(archive, sources):
    """Two edited copies of one picture, another picture twice, and further ones."""
    astronaut = Image.open(sources / "astronaut.png").convert("RGB")
    astronaut.resize((300, 300)).save(sources / "astronaut small.jpg", quality=80)
    ImageEnhance.Brightness(astronaut).enhance(1.2).save(sources / "bright.png")
    shutil.copy(sources / "coffee.png", sources / "same.png")
    archive.add(sources)
    return archive


def test_without_calibration_pictures_are_compared(pictures):
    found = pictures.duplicates()
    assert [sorted(group) for group in ids(found)] == [
        ["astronaut small.jpg", "astronaut.png", "bright.png"],
        ["coffee.png", "same.png"],
    ]
    entries = {entry.id: entry for group in found for entry in group.entries}
    assert entries["same.png"].verdict == "file"
    assert {entries[name].verdict for name in ("astronaut.png", "bright.png")} == {"copy"}
    assert (found.by_similarity, found.unknown) == (0, 0)
    assert found.compared >= 3
    for group in found:
        first, *others = group.as_dict()["entries"]
        assert first["copy_of"] is None
        assert all(each["copy_of"] in {e.id for e in group.entries} for each in others)
        assert set(first) == {
            *("id", "similarity", "state", "copy_of", "verdict", "reason"),
            *("false_alarm_rate", "rate_is_bound", "rate_is_provisional"),
        }


def test_entries_that_share_a_frame_are_not_grouped(archive, sources, tmp_path):
    photos = tmp_path / "framed"
    photos.mkdir()
    for name in ("astronaut.png", "coffee.png"):
        picture = Image.open(sources / name).convert("RGB").resize((400, 300))
        framed = Image.effect_noise((500, 420), 80).convert("RGB")
        framed.paste(picture, (50, 60))
        ImageDraw.Draw(framed).text((60, 380), "The same newspaper", fill="white")
        framed.save(photos / name)
    archive.add(photos)
    found = archive.duplicates(similarity=-1)  # every pair is compared
    assert (ids(found), found.compared) == ([], 1)


def test_a_pair_is_compared_once_and_few_of_an_entry(archive, monkeypatch):
    vectors = np.repeat(unit_vectors(1, 1), 60, axis=0)
    write(archive._table, archive.codebook, [f"{n}" for n in range(60)], vectors)
    compared = []

    def unlike(self, pairs):
        compared.extend(frozenset(pair) for pair in pairs.tolist())
        return [near_duplicates.PairVerdict("none", "nothing in common") for _ in pairs]

    monkeypatch.setattr(near_duplicates.PreviewPairs, "compare", unlike)
    assert archive.duplicates() == ()
    assert len(set(compared)) == len(compared) <= 2 * 60


def test_an_empty_archive_has_none(archive):
    assert archive.duplicates(similarity=0.5) == ()


def test_equal_entries_are_all_found_however_many(archive):
    """More of them than the neighbours that are searched for an entry."""
    vectors = np.repeat(unit_vectors(1, 1), 60, axis=0)
    write(archive._table, archive.codebook, [f"{n}" for n in range(60)], vectors)
    (group,) = archive.duplicates(similarity=0.99)
    assert len(group.entries) == 60
