"""Near duplicates: candidates confirmed or rejected by local features (local_features)."""

import os
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageEnhance

from homing.bench.context import Run
from homing.bench.dataset import near_duplicates
from homing.bench.dataset.base import Base
from homing.bench.dataset.local_features import INLIERS, confirm
from homing.bench.dataset.near_duplicates import confirm_candidates
from homing.bench.encode.variants import Crop, Task, Whole

NAMES = ("astronaut", "coffee", "chelsea", "rocket")


def bundled(name):
    return Image.fromarray(getattr(skimage.data, name)())


@pytest.mark.parametrize("name", NAMES)
def test_copies_are_confirmed(name):
    image = bundled(name)
    width, height = image.size
    copies = {
        "smaller": image.resize((width // 2, height // 2)),
        "cropped": image.crop((width // 5, height // 6, width, height)),
        "turned": image.rotate(25, Image.Resampling.BILINEAR, expand=True),
        "brighter": ImageEnhance.Brightness(image).enhance(1.3),
        "stretched": image.resize((width * 3 // 4, height)),
    }
    for kind, copy in copies.items():
        found = confirm(image, copy)
        assert found is not None, kind
        assert found.inliers >= INLIERS
        assert not found.mirrored


def test_a_mirrored_copy_is_confirmed_and_said_to_be_one():
    image = bundled("astronaut")
    found = confirm(image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert found is not None
    assert found.mirrored


def test_other_pictures_are_not():
    for first in NAMES:
        for second in NAMES:
            if first != second:
                assert confirm(bundled(first), bundled(second)) is None


def test_the_same_stamp_on_other_pictures_makes_no_near_duplicates():
    """Many features of a logo in a corner match, but in a small part of both pictures."""
    first, second = (bundled(name).resize((400, 400)) for name in ("chelsea", "coffee"))
    stamp = bundled("astronaut").resize((48, 48))
    for image in (first, second):
        image.paste(stamp, (340, 340))
    assert confirm(first, second) is None


def test_pictures_without_texture_cannot_be_confirmed():
    flat = Image.new("RGB", (200, 150), (90, 90, 90))
    assert confirm(flat, flat) is None
    assert confirm(flat, bundled("coffee")) is None
    assert confirm(Image.new("RGB", (1, 1)), Image.new("RGB", (1, 1))) is None


# ---- near duplicates among the entries of a base


@pytest.fixture
def base(tmp_path):
    """Two photographs, a near duplicate of the first with three crops, and an unlike picture."""
    pictures = {
        "coffee.png": bundled("coffee"),
        "cat.png": bundled("chelsea"),
        "twin.jpg": bundled("coffee").resize((450, 300)),
        "other.png": bundled("rocket"),
    }
    for name, image in pictures.items():
        image.save(tmp_path / name)
    crops = tuple(Crop((number,)) for number in range(3))
    recipes = {"twin.jpg": (Whole(), *crops), "other.png": (Whole(), Crop((9,)))}
    tasks = tuple(Task(tmp_path / n, n, recipes.get(n, (Whole(),))) for n in pictures)
    sizes = [len(task.recipes) for task in tasks]
    return Base(
        tasks, np.repeat(np.arange(4), sizes), np.concatenate([np.arange(size) for size in sizes])
    )


def test_a_confirmed_entry_brings_its_photograph_and_all_its_crops(base, workers, silent, tmp_path):
    candidates = [
        {0, 3, 6},
        {1, 6},
    ]  # a crop of the near duplicate alone; no picture is its own near duplicate
    found = confirm_candidates(
        base.tasks[:2], candidates, base, Run(workers, tmp_path, silent), "", own=range(2)
    )
    assert found.of(0).tolist() == [2, 3, 4, 5]
    assert found.of(1).tolist() == []
    assert [rows.tolist() for rows in found.by_picture(2)] == [[2, 3, 4, 5], []]


def test_verdicts_are_cached(base, workers, silent, tmp_path):
    def seek(candidates):
        workers.received = []
        return confirm_candidates(
            base.tasks[:2], candidates, base, Run(workers, tmp_path, silent), "", own=range(2)
        )

    first = seek([{3, 6}, {6}])
    assert workers.received
    assert seek([{3, 6}, {6}]).evidence == first.evidence
    assert workers.received == []
    assert seek([{3, 6, 7}, {6}]).evidence == first.evidence
    assert [len(pairs.candidates) for pairs in workers.received] == [1]


def test_two_runs_may_cache_verdicts_at_once(tmp_path, monkeypatch):
    """Each process writes to a temporary file of its own before it replaces the cache."""
    here = near_duplicates._Verdicts(tmp_path / "near_duplicates.json")
    other = near_duplicates._Verdicts(tmp_path / "near_duplicates.json")
    replace = Path.replace

    def both(part, path):
        monkeypatch.setattr(Path, "replace", replace)
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: 1)
            other.save()
        return replace(part, path)

    monkeypatch.setattr(Path, "replace", both)
    here.put("a pair", None)
    here.save()
    assert "a pair" in near_duplicates._Verdicts(tmp_path / "near_duplicates.json")
    assert [path.name for path in tmp_path.iterdir()] == ["near_duplicates.json"]


def test_a_file_that_cannot_be_read_is_no_near_duplicate(base, workers, silent, tmp_path):
    def seek():
        return confirm_candidates(
            base.tasks[:2], [{2, 3}, {2}], base, Run(workers, tmp_path, silent), "", own=range(2)
        )

    duplicate = tmp_path / "twin.jpg"
    content, status = duplicate.read_bytes(), duplicate.stat()
    duplicate.write_bytes(bytes(len(content)))
    os.utime(duplicate, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not seek().evidence
    # The failure to read it was not cached as a verdict.
    duplicate.write_bytes(content)
    os.utime(duplicate, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert seek().of(0).tolist() == [2, 3, 4, 5]
