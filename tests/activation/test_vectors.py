"""Target vectors, cells of activated files, and recorded vectors."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from homing.activation import METHODS, Activator, recorded_vectors
from homing.activation.prepared import LOOKAHEAD_DRAWS, draw_for, prepare
from homing.activation.simulated_edits.edits import (
    NO_EDITS,
    EditPlan,
    Originals,
    apply_edits,
    draw_edits,
    stack_edits,
)
from homing.activation.vectors import target_vectors
from homing.codebooks import Codebook, train_codebook
from homing.descriptors import Descriptor
from homing.images import read_picture
from homing.options import DEFAULT_LIMITS

PLAN = EditPlan(toned=3, shaped=2)
_METHOD = METHODS["robust"]
ROBUST = replace(  # far more than is unseen, so that aims are reached
    _METHOD,
    settings=replace(_METHOD.settings, strength=4.0),
    masking=replace(_METHOD.masking, unseen_gain=None),
    least_visible=None,
)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def unit32(vectors: np.ndarray) -> np.ndarray:
    return unit(vectors).astype(np.float32)


@pytest.fixture
def sources(as_file, scene) -> list[bytes]:
    return [as_file(scene(60, 60 + 10 * n, seed=n)) for n in range(24)]


@pytest.fixture
def aims(tiny: Descriptor, sources: list[bytes]) -> np.ndarray:
    """Vectors that `ROBUST` aims at with the seed 0."""
    prepared = [
        prepare(source, read_picture(source), 16, limits=DEFAULT_LIMITS, hold=True, enlarged=True)
        for source in sources
    ]
    drawn = draw_for(prepared, ROBUST.lookahead, 1, seed=0, purpose=LOOKAHEAD_DRAWS)
    pictures, finer = (
        torch.from_numpy(np.stack([getattr(each.grids, name) for each in prepared])).permute(
            0, 3, 1, 2
        )
        / 255
        for name in ("squashed", "finer")
    )
    originals = Originals(pictures, finer)
    return target_vectors(pictures, originals, drawn, tiny.describe(sources), tiny.forward)


def test_an_aim_is_the_mean_of_a_picture_and_its_edited_copies(tiny: Descriptor) -> None:
    generator = np.random.default_rng(3)
    squashed = generator.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    fine = torch.from_numpy(generator.random((3, 3, 32, 32), dtype=np.float32))
    own = tiny.describe_squashed(squashed)
    pictures = torch.from_numpy(squashed).permute(0, 3, 1, 2) / 255
    drawn = stack_edits(
        [draw_edits(PLAN, 1, aspect=1.5, size=16, generator=generator) for _ in range(3)]
    )
    originals = Originals(pictures, fine)
    found = target_vectors(pictures, originals, drawn, own, tiny.forward)
    seen = [tiny.forward(s) for s in apply_edits(pictures, drawn, 0, originals)]
    described = np.concatenate([own, *(each.numpy() for each in seen)]).reshape(6, 3, -1)
    np.testing.assert_allclose(found, unit(described.mean(axis=0)), atol=1e-6)
    assert found.dtype == np.float32
    blurred = target_vectors(pictures, None, drawn, own, tiny.forward)
    assert not np.allclose(blurred, found, atol=1e-4)  # crops are cut from a finer picture


def test_files_are_brought_into_the_cell_of_their_aims(
    tiny: Descriptor, tiny_codebook: Codebook, sources: list[bytes], aims: np.ndarray
) -> None:
    aimed, were = (tiny_codebook.cells(each) for each in (aims, tiny.describe(sources)))
    elsewhere = aimed != were
    assert 0 < elsewhere.mean() < 0.7
    results = list(Activator(tiny, tiny_codebook, ROBUST, psnr=30).run(sources))
    there = tiny_codebook.cells(tiny.describe([each.data for each in results]))
    assert [each.cell_kept for each in results] == (there == aimed).tolist()
    assert (there == aimed)[elsewhere].mean() > 0.7
    recorded = tiny_codebook.cells(np.stack([each.vector for each in results]))
    assert recorded.tolist() == there.tolist()
    staying = replace(ROBUST, lookahead=NO_EDITS)
    results = list(Activator(tiny, tiny_codebook, staying, psnr=30).run(sources))
    there = tiny_codebook.cells(tiny.describe([each.data for each in results]))
    assert [each.cell_kept for each in results] == (there == were).tolist()
    assert (there == were)[elsewhere].mean() > 0.7


@pytest.mark.parametrize(("budget", "all_met"), [(24, True), (70, False)])
def test_each_codebook_reports_whether_its_aim_was_met(
    tiny: Descriptor,
    tiny_codebook: Codebook,
    sources: list[bytes],
    aims: np.ndarray,
    budget: float,
    all_met: bool,
) -> None:
    vectors = unit(np.random.default_rng(4).normal(size=(1200, 16))).astype(np.float32)
    further = train_codebook(vectors, "IVF12,PQ4x8", descriptor=tiny.fingerprint)
    activator = Activator(tiny, tiny_codebook, ROBUST, psnr=budget, also=(further,))
    results = list(activator.run(sources))
    files = tiny.describe([each.data for each in results])
    for reported, codebook in zip(
        zip(*([each.cell_kept, *each.also_kept] for each in results), strict=True),
        activator.codebooks,
        strict=True,
    ):
        assert list(reported) == (codebook.cells(files) == codebook.cells(aims)).tolist()
        assert all(reported) == all_met
        assert (codebook.cells(tiny.describe(sources)) != codebook.cells(aims)).any()


@pytest.fixture(scope="module")
def codebook():
    return train_codebook(unit32(np.random.default_rng(0).normal(size=(400, 8))), "IVF8,Flat")


@given(seed=st.integers(0, 10_000), far=st.sampled_from([0.1, 0.5, 2.0]))
def test_it_is_unit_and_in_the_cell_of_the_file(codebook, seed: int, far: float) -> None:
    generator = np.random.default_rng(seed)
    sources = unit32(generator.normal(size=(20, 8)))
    files = unit32(sources + far * generator.normal(size=(20, 8)))
    recorded = recorded_vectors(codebook, sources, files)
    assert recorded.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(recorded, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(codebook.cells(recorded), codebook.cells(files))


def test_it_lies_between_source_and_file_nearer_to_the_source(codebook) -> None:
    generator = np.random.default_rng(1)
    sources = unit32(generator.normal(size=(50, 8)))
    files = unit32(sources + 0.1 * generator.normal(size=(50, 8)))
    recorded = recorded_vectors(codebook, sources, files)
    same = codebook.cells(unit32(sources + 0.5 * files)) == codebook.cells(files)
    assert same.sum() > 25
    to_source, to_file = ((recorded * ends).sum(axis=1)[same] for ends in (sources, files))
    apart = (sources * files).sum(axis=1)[same]
    assert (apart < to_file).all()
    assert (to_file < to_source).all()
    np.testing.assert_array_equal(recorded[~same], files[~same])
