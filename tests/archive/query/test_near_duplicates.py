"""Near-duplicates are left out of a calibration; what only resembles them stays."""

import numpy as np
import pytest
from PIL import Image

from homing.archive.query.near_duplicates import (
    MOST_COMPARED,
    Neighbours,
    PairVerdict,
    PreviewPairs,
)
from homing.search.surroundings import NEIGHBOURS
from tests.search.test_surroundings import pages, photos


class Pairs:
    """Pairs that are copies if their numbers differ by `apart`."""

    def __init__(self, apart: int) -> None:
        self.apart = apart
        self.compared = 0

    def compare(self, pairs: np.ndarray) -> list[PairVerdict]:
        self.compared += len(pairs)
        copies = np.abs(pairs[:, 0] - pairs[:, 1]) == self.apart
        return [PairVerdict("copy" if copy else "none", "") for copy in copies]


def neighbours(vectors: np.ndarray) -> Neighbours:
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -np.inf)
    best = np.argsort(-alike, axis=1)[:, :NEIGHBOURS]
    among = np.matmul(vectors[best], vectors[best].transpose(0, 2, 1))
    similarity = np.take_along_axis(alike, best, axis=1)
    beside = np.empty((len(vectors), 0), np.float32)
    return Neighbours(np.arange(len(vectors)), best, similarity, among, beside)


def with_twins(entries: np.ndarray, twins: int, spread: float) -> np.ndarray:
    noise = np.random.default_rng(1).standard_normal((twins, entries.shape[1]))
    copies = (entries[:twins] + spread * noise).astype(np.float32)
    copies /= np.linalg.norm(copies, axis=1, keepdims=True)
    return np.concatenate([entries, copies])


def highest(rest: Neighbours, of: int) -> np.ndarray:
    found = rest.similarity.max(axis=1)
    return np.quantile(found[rest.entries < of], [0.5, 0.9, 0.97])


def test_copies_are_left_out_a_sample_of_them_compared():
    entries = photos(1000, 0)
    clean, pairs = neighbours(entries), Pairs(1000)
    mixed = neighbours(with_twins(entries, 250, 0.01))
    rest = mixed.without_duplicates(pairs)
    assert 0 < pairs.compared <= 2 * MOST_COMPARED
    assert len(rest.entries) == 1250
    np.testing.assert_allclose(highest(rest, 1000), highest(clean, 1000), atol=0.02)
    assert highest(mixed, 1000)[1] > highest(clean, 1000)[1] + 0.02


def test_dense_entries_that_are_no_copies_stay_where_previews_say_so():
    entries = np.concatenate([photos(600, 0), pages(400, 0)])
    for pairs, stay in ((Pairs(-1), True), (None, False)):
        rest = neighbours(entries).without_duplicates(pairs)
        best = rest.similarity.max(axis=1)[rest.entries >= 600]
        assert bool(len(best) and np.median(best) > 0.97) is stay


def test_without_previews_similarity_decides():
    entries = photos(1000, 0)
    mixed = neighbours(with_twins(entries, 60, 0.003))
    by_similarity = mixed.without_duplicates(None)
    np.testing.assert_allclose(
        highest(by_similarity, 1000), highest(neighbours(entries), 1000), atol=0.02
    )


def test_entries_that_are_all_alike_leave_nothing():
    same = np.repeat(photos(1, 0), 300, axis=0)
    assert len(neighbours(same).without_duplicates(None).entries) == 0
    assert len(neighbours(photos(2, 0)).without_duplicates(None).entries) == 2


def test_parts_are_joined():
    whole = neighbours(photos(300, 0))
    rows = np.arange(300)
    joined = Neighbours.joined([whole.take(rows[:100]), whole.take(rows[100:])])
    np.testing.assert_array_equal(joined.positions, whole.positions)


@pytest.mark.parametrize("previews", [True, False])
def test_pairs_are_compared_by_their_previews(create, sources, previews):
    archive = create()
    image = Image.open(sources / "astronaut.png")
    image.resize((400, 400)).save(sources / "astronaut-small.jpg", quality=70)
    archive.add(sources)
    snapshot = archive._current.snapshot()
    ids = [name for name, _ in snapshot.ids_and_states(range(4))]
    if not previews:
        for pack in archive.preview_store.packs():
            archive.preview_store.remove_pack(pack)
    place = ids.index
    wanted = [
        [place("astronaut.png"), place("astronaut-small.jpg")],
        [place("astronaut.png"), place("coffee.png")],
    ]
    found = PreviewPairs(snapshot, archive.preview_store).compare(np.array(wanted))
    assert [each.is_copy for each in found] == ([True, False] if previews else [None, None])
    if previews:
        assert [each.verdict for each in found] == ["copy", "none"]
    else:
        assert "is missing or damaged" in found[0].reason
