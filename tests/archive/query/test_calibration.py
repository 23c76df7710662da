"""Calibration of an archive: made on its own entries, stored beside them, remade as it grows."""

import errno
import json
import os

import numpy as np
import pytest

import homing
from homing.archive.query import calibration
from homing.archive.query.calibration import read_calibration
from tests.helpers.archive import write
from tests.helpers.pictures import make_pictures
from tests.helpers.vectors import DIMENSION


def scene(count: int, seed: int) -> np.ndarray:
    """Return unit vectors near a curved surface of twelve dimensions."""
    world = np.random.default_rng(5)
    bend, shift = world.standard_normal((12, DIMENSION)), world.standard_normal(DIMENSION)
    places = np.random.default_rng(seed).standard_normal((count, 12))
    vectors = np.tanh(0.5 * places @ bend) + 0.3 * shift
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def fill(archive, vectors, first=0):
    names = [f"{first + number}" for number in range(len(vectors))]
    write(archive._table, archive.codebook, names, vectors)


@pytest.fixture
def filled(archive):
    fill(archive, scene(1200, 0))
    return archive


def stored(archive):
    return json.loads((archive.path / "calibration.json").read_text())


def answers(archive, vectors, **options):
    from homing.archive.query.queries import DescribedQuery
    from homing.options import SearchOptions

    queries = [DescribedQuery(("upright",), vector[None]) for vector in vectors]
    return archive.answer(queries, SearchOptions(**options))


def test_an_archive_not_calibrated_gives_no_verdict(filled):
    for hit in answers(filled, scene(1, 9))[0]:
        assert hit.false_alarm_rate is None
        assert hit.is_copy is None
        assert hit.as_dict()["false_alarm_rate"] is None


def test_stated_rates_hold_for_searches_of_the_archive(filled):
    """One archive of this size bounds rates loosely; test_false_alarms.py averages over several."""
    filled.calibrate()
    best = [hits[0].false_alarm_rate for hits in answers(filled, scene(5000, 1), k=1)]
    assert 0.3e-2 <= np.mean(np.array(best) <= 1e-2) <= 2e-2
    assert 0.05 <= np.mean(np.array(best) <= 0.1) <= 0.2


def test_copies_are_called_copies_and_others_not(filled):
    filled.calibrate()
    rng = np.random.default_rng(2)
    copies = scene(1200, 0)[:200] + 0.007 * rng.standard_normal((200, DIMENSION)).astype("f4")
    copies /= np.linalg.norm(copies, axis=1, keepdims=True)
    found = answers(filled, copies, k=3)
    right = [hits[0].id == str(number) and hits[0].is_copy for number, hits in enumerate(found)]
    assert np.mean(right) > 0.9
    strangers = answers(filled, scene(500, 3), k=3)
    assert np.mean([hits[0].is_copy for hits in strangers]) < 0.01
    for hits in (*found[:20], *strangers[:20]):
        rates = [hit.false_alarm_rate for hit in hits]
        assert rates == sorted(rates)
        assert [hit.is_copy for hit in hits] == [rate <= 1e-4 for rate in rates]
        assert {"false_alarm_rate", "is_copy"} <= set(hits[0].as_dict())
    lenient = answers(filled, scene(50, 3), k=1, rate=0.9)
    assert any(hits[0].is_copy for hits in lenient)


def test_rates_are_stated_no_further_than_the_calibration_goes(filled):
    filled.calibrate()
    (hits,) = answers(filled, scene(1200, 0)[:1], k=8, probes=8)
    least = 1 / (100 * 1200)
    assert hits[0].similarity > 0.999
    assert (hits[0].false_alarm_rate, hits[0].rate_is_bound) == (least, True)
    assert hits[0].as_dict()["rate_is_bound"] is True
    assert hits[-1].false_alarm_rate > least
    assert hits[-1].rate_is_bound is False
    (strict,) = answers(
        filled, scene(1200, 0)[:1], k=1, rate=1e-9
    )  # the verdict stands all the same
    assert strict[0].is_copy


def test_more_views_count_for_more_chances(filled):
    from homing.archive.query.queries import DescribedQuery
    from homing.options import SearchOptions

    filled.calibrate()
    vector = scene(1200, 0)[:1] + np.float32(0.03)
    vector /= np.linalg.norm(vector)
    once = filled.answer([DescribedQuery(("upright",), vector)], SearchOptions())[0][0]
    names = ("upright", *(f"turned {n}" for n in range(7)))
    described = DescribedQuery(names, np.repeat(vector, 8, axis=0))
    turned = filled.answer([described], SearchOptions(views="turned"))[0][0]
    assert turned.id == once.id
    assert turned.view == "upright"
    assert turned.false_alarm_rate == pytest.approx(8 * once.false_alarm_rate, rel=0.05)


def test_sure_hits_take_near_cells_and_others_more(filled, monkeypatch):
    from homing.archive.query.snapshot import Snapshot
    from homing.search.engines.combined import NEAR_STAGES

    searches, search = [], Snapshot.search

    def searched(self, queries, **options):
        searches.append((len(queries), options["probes"]))
        return search(self, queries, **options)

    filled.calibrate()
    monkeypatch.setattr("homing.search.engines.combined.SEARCHED_WHOLE", 1000)
    monkeypatch.setattr(Snapshot, "search", searched)
    known, strange = scene(1200, 0)[:5], scene(3, 7)
    looked = [(hits.cells_searched, hits.cells) for hits in answers(filled, [*known, *strange])]
    assert {cells for cells, _ in looked[:5]} <= {1, 2, 3, 4}
    assert looked[5:] == [(8, 8)] * 3
    assert [probes for _, probes in searches] == [*(s.probes for s in NEAR_STAGES), (8,)]
    assert [count for count, _ in searches[-3:]] == [3, 3, 3]
    assert searches[0] == (8, 1)
    searches.clear()
    answers(filled, [*known, *strange], probes="near")
    assert [probes for _, probes in searches] == [s.probes for s in NEAR_STAGES]
    searches.clear()
    answers(filled, [*known, *strange], probes=2)
    assert searches == [(8, 2)]


def test_few_entries_are_all_looked_at(filled):
    """A query as near to one cell as to the next is compared with the entries of both."""
    vectors = scene(1200, 0)
    cells = filled.codebook.cells(vectors)
    rng = np.random.default_rng(1)
    queries = vectors[:300] + 0.05 * rng.standard_normal((300, DIMENSION)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    strayed = np.flatnonzero(filled.codebook.cells(queries) != cells[:300])
    assert len(strayed) > 10
    missed = answers(filled, queries[strayed], probes=1, k=1)
    assert all(hits[0].id != str(n) for hits, n in zip(missed, strayed, strict=True))
    for hits, number in zip(answers(filled, queries[strayed], k=1), strayed, strict=True):
        assert hits[0].id == str(number)
        assert (hits.cells_searched, hits.cells) == (8, 8)
    assert (missed[0].cells_searched, missed[0].cells) == (1, 8)
    assert missed[0].replaced(()).cells_searched == 1


def test_what_is_written_is_read_again(filled):
    left = filled.path / ".calibration.json.left.part"
    left.write_text("by one that was killed")
    os.utime(left, (0, 0))
    made = filled.calibrate()
    assert read_calibration(filled.path, filled.settings) == made
    values = stored(filled)
    assert values["format"] == 1
    assert values["background"] == "entries"
    assert values["tails"]["upright"]["entries"] == 1200
    assert homing.open(filled.path).calibrate() == made  # the same entries, the same verdicts
    assert [p.name for p in filled.path.iterdir() if p.name.startswith(".")] == []


def test_calibration_follows_growth(archive, tmp_path, monkeypatch):
    monkeypatch.setattr("homing.archive.query.calibrate.LEAST_BACKGROUND", 30)
    monkeypatch.setattr(calibration, "LEAST_BACKGROUND", 30)
    monkeypatch.setattr("homing.search.false_alarms.LEAST_BACKGROUND", 30)
    monkeypatch.setattr("homing.search.false_alarms._PEAKS", 10)
    photos = make_pictures(tmp_path / "photos", 100)
    paths = sorted(photos.iterdir())
    archive.add(paths[:20])
    assert not (archive.path / "calibration.json").exists()
    archive.add(paths[:40])
    assert stored(archive)["tails"]["upright"]["entries"] == 40
    archive.add(paths[:55])
    assert stored(archive)["tails"]["upright"]["entries"] == 40  # not by half yet
    archive.release(paths[55:65], out=tmp_path / "out")
    assert stored(archive)["tails"]["upright"]["entries"] == 65
    hit = archive.search(paths[0])[0]
    assert hit.is_copy is not None


def test_pictures_that_match_nothing_calibrate_every_set_of_views(filled, tmp_path, monkeypatch):
    monkeypatch.setattr("homing.archive.query.calibrate.LEAST_BACKGROUND", 20)
    monkeypatch.setattr("homing.search.false_alarms.LEAST_BACKGROUND", 20)
    monkeypatch.setattr("homing.search.false_alarms._PEAKS", 5)
    photos = make_pictures(tmp_path / "photos", 25)
    (photos / "bad.jpg").write_bytes(b"no picture")
    done = []
    made = filled.calibrate(photos, progress=done.append)
    assert (done[-1].done, done[-1].total) == (26, 26)
    assert made.background == "pictures"
    assert set(made.tails) == {"upright", "turned", "all"}
    assert {tail.queries for tail in made.tails.values()} == {25}
    upright, turned, everything = (made.tails[v] for v in ("upright", "turned", "all"))
    assert upright.threshold <= turned.threshold <= everything.threshold
    with pytest.raises(homing.UsageError, match="20"):
        filled.calibrate(sorted(photos.iterdir())[:19])


def test_pictures_that_match_nothing_all_count_however_similar(filled):
    from homing.archive.query.calibrate import Strangers, calibrate_on_pictures
    from homing.archive.query.queries import DescribedQuery

    vectors = np.concatenate([scene(250, 7), scene(1200, 0)[:50]])  # some as similar as copies
    queries = [DescribedQuery(("upright",), vector[None]) for vector in vectors]
    strangers = Strangers(tuple(queries), 0)
    others = np.empty((0, DIMENSION), np.float32)
    made = filled._current.run(
        lambda now: calibrate_on_pictures(now, strangers=strangers, others=others)
    )
    assert made.tails["upright"].queries == made.contrasts["upright"].tail.queries == 300
    assert made.tails["upright"].similarity(1e-2) > 0.99


def test_a_calibration_made_before_surroundings_were_measured_still_holds(filled):
    made = filled.calibrate()
    values = stored(filled)
    del values["contrasts"], values["sha256"]
    (filled.path / "calibration.json").write_text(json.dumps(values))
    read = read_calibration(filled.path, filled.settings)
    assert (read.tails, read.contrasts) == (made.tails, {})
    assert answers(filled, scene(1200, 0)[:1])[0][0].is_copy


def test_few_entries_of_the_bundled_descriptor_have_provisional_rates(tmp_path):
    from homing.descriptors import load_descriptor
    from homing.search.background import load_background

    descriptor = load_descriptor("homing-s")
    archive = homing.create(tmp_path / "few", descriptor=descriptor)
    vectors = load_background(descriptor.fingerprint, 256)
    rng = np.random.default_rng(0)
    # Combinations of two are entries as far from the background as it is from itself.
    first, second = vectors[rng.permutation(1600)[:120]], vectors[rng.permutation(1600)[:120]]
    entries = (first - 0.7 * second).astype(np.float32)
    entries /= np.linalg.norm(entries, axis=1, keepdims=True)
    fill(archive, entries[:100])
    copies = entries[:100] + 0.01 * rng.standard_normal((100, 256)).astype(np.float32)
    copies /= np.linalg.norm(copies, axis=1, keepdims=True)
    found = answers(archive, copies, k=2, confirm=False)
    assert all(hits[0].is_copy and hits[0].rate_is_provisional for hits in found)
    assert found[0][0].as_dict()["rate_is_provisional"] is True
    strangers = answers(archive, vectors[:500], k=2, confirm=False)
    assert np.mean([hits[0].is_copy for hits in strangers]) < 0.02
    assert not (archive.path / "calibration.json").exists()


def test_too_few_entries_say_so(archive):
    with pytest.raises(homing.UsageError, match="at least 200"):
        archive.calibrate()
    fill(archive, scene(150, 0))
    with pytest.raises(homing.UsageError, match="150"):
        archive.calibrate()
    fill(archive, np.repeat(scene(1, 1), 300, axis=0), first=1000)  # all alike
    with pytest.raises(homing.UsageError):
        archive.calibrate()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:50],
        lambda text: "[]",
        lambda text: text.replace('"format": 1', '"format": 7'),
        lambda text: text.replace('"exponent"', '"exponents"'),
        lambda text: text.replace('"upright"', '"sideways"'),
        lambda text: text.replace('codebook_fingerprint": "', 'codebook_fingerprint": "0'),
    ],
)
def test_a_damaged_calibration_is_refused_and_made_again(filled, tmp_path, damage):
    filled.calibrate()
    path = filled.path / "calibration.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(homing.ArchiveError, match="homing calibrate"):
        answers(filled, scene(1, 9))
    filled.add(make_pictures(tmp_path / "photos", 1))
    assert answers(filled, scene(1, 9))[0][0].is_copy is not None


@pytest.mark.slow
@pytest.mark.photos
def test_stated_rates_hold_on_photographs(photos, tmp_path):
    """300 photographs calibrate the archive; those of another source match none of them."""
    from homing.descriptors import load_descriptor

    archive = homing.create(tmp_path / "bundled", descriptor=load_descriptor("homing-s"))
    paths = sorted((photos / "dev").glob("*.jpg"))
    archive.add(paths[:300])
    queries = archive.descriptor.describe(paths[300:])
    best = np.array([hits[0].false_alarm_rate for hits in answers(archive, queries, k=1)])
    for stated in (0.1, 1e-2):
        observed = (best <= stated).mean()
        # 700 queries: seven at 1e-2, give or take three
        assert stated / 3 <= observed <= stated * 2, (stated, observed)


def test_a_calibration_that_cannot_be_written_leaves_nothing(filled, monkeypatch):
    before = {path.name for path in filled.path.iterdir()}

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        filled.calibrate()
    assert {path.name for path in filled.path.iterdir()} == before
