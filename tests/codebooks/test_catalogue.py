"""Codebooks bundled with the package."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from homing.codebooks import bundled_codebooks, catalogue, choose_bundled, load_codebook
from homing.codebooks.cost import IN_A_STORE
from homing.descriptors import load_descriptor
from homing.errors import CodebookError


@pytest.fixture(scope="module")
def fingerprint() -> str:
    return load_descriptor("homing-s").fingerprint


def test_every_bundled_codebook_agrees_with_the_table() -> None:
    assert [info.factory for info in bundled_codebooks()] == [
        "IVF64,PQ8x8",
        "IVF256,PQ8x8",
        "IVF1024,PQ8x8",
        "OPQ16,IVF1024,PQ16x8",
        "IVF4096,PQ8x8",
    ]
    for info in bundled_codebooks():
        codebook = load_codebook(info.name)
        data = info.path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == info.sha256
        assert len(data) == info.size_bytes
        assert codebook == load_codebook(info.path)
        assert codebook.fingerprint == info.fingerprint
        assert codebook.descriptor == info.descriptor
        assert codebook.descriptor_name == info.descriptor_name == "homing-s"
        assert str(codebook.factory) == info.factory
        assert codebook.cell_count == info.cells
        assert codebook.dimension == info.dimension
        assert "pictures" in info.origin


def test_they_belong_to_the_bundled_descriptor(fingerprint: str) -> None:
    # Where this fails the descriptor has changed: run training/train_codebooks.py again.
    assert {info.descriptor for info in bundled_codebooks()} == {fingerprint}


def test_their_cells_are_near_and_none_is_empty() -> None:
    centroids = load_codebook("homing-s-IVF1024-PQ8x8").arrays["coarse"]
    lengths = np.linalg.norm(centroids, axis=1)
    assert lengths.min() > 0.3  # means of near unit vectors, none empty
    assert len(np.unique(centroids, axis=0)) == 1024


@pytest.mark.parametrize(
    ("expect", "factory", "reason"),
    [
        (None, "IVF1024,PQ8x8", "for about 1,000,000 pictures"),
        (1, "IVF64,PQ8x8", "for 1 picture"),
        (10_000, "IVF64,PQ8x8", "for 10,000 pictures"),
        (100_000, "IVF256,PQ8x8", "for 100,000 pictures"),
        (1e6, "IVF1024,PQ8x8", "for 1,000,000 pictures"),
        (1e7, "IVF4096,PQ8x8", "for 10,000,000 pictures"),
        (
            1e8,
            "IVF4096,PQ8x8",
            "for 100,000,000 pictures; `homing codebook train PHOTOS --factory "
            "IVF16384_HNSW32,PQ8x8` makes one of quicker searches",
        ),
    ],
)
def test_the_choice_follows_the_expected_size(
    fingerprint: str, expect: float | None, factory: str, reason: str
) -> None:
    codebook, why = choose_bundled(fingerprint, expect)
    assert str(codebook.factory) == factory
    assert codebook.descriptor == fingerprint
    assert why == reason


def test_in_a_store_fewer_cells_are_read(fingerprint: str) -> None:
    codebook, why = choose_bundled(fingerprint, 1e6, IN_A_STORE)
    assert str(codebook.factory) == "IVF256,PQ8x8"
    assert "train" not in why


def test_another_descriptor_has_none() -> None:
    with pytest.raises(CodebookError, match="homing codebook train"):
        choose_bundled("00" * 32, 1000)


@pytest.mark.parametrize("damage", ["altered", "missing"])
def test_a_damaged_installation_is_reported(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = bundled_codebooks()[0]
    copied = tmp_path / "data"
    shutil.copytree(info.path.parent, copied)
    monkeypatch.setattr(catalogue, "_DATA", copied)
    path = bundled_codebooks()[0].path
    assert path.parent == copied
    if damage == "altered":
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
    else:
        path.unlink()
    with pytest.raises(CodebookError, match="install homing again"):
        load_codebook(info.name)


def test_the_table_is_small_and_plain() -> None:
    rows = json.loads(
        (bundled_codebooks()[0].path.parent / "bundled.json").read_text(encoding="utf-8")
    )
    assert {row["name"] for row in rows} == {info.name for info in bundled_codebooks()}
