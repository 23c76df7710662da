"""Answers confirmed by local features; their verdicts by rate are in test_calibration."""

import pytest
from PIL import Image

import homing


def test_confirming_lifts_copies_and_drops_others(archive, sources, suspect, tmp_path):
    archive.release(sources, out=tmp_path / "out")
    plain = archive.search(suspect, k=3, probes=8)
    assert all(hit.confirmed is None for hit in plain)
    for source in (suspect, suspect.read_bytes(), Image.open(suspect)):
        hits = archive.search(source, k=3, probes=8, confirm=True)
        assert [hit.confirmed for hit in hits] == [True, False, False]
        assert [hit.is_copy for hit in hits] == [True, False, False]
        assert hits[0].id == "astronaut.png"
        assert hits[0].as_dict()["confirmed"] is True
    (result,) = archive.search_each([suspect], k=3, probes=8, confirm=True)
    assert [hit.confirmed for hit in result.hits] == [True, False, False]


def test_confirming_leaves_what_it_cannot_see(archive, sources, suspect):
    archive.add(sources)
    hits = archive.search(suspect, k=3, probes=8, confirm=True)
    assert [(hit.confirmed, hit.is_copy) for hit in hits] == [(None, None)] * 3
    named = archive.search(suspect, k=3, probes=8, confirm=True, files=[sources])
    assert named[0].confirmed is True


def test_confirming_costs_no_answer_where_a_query_has_gone(archive, sources, suspect):
    archive.add(sources)
    results = archive.search_each([suspect], k=3, probes=8, confirm=True, files=sources)
    describe = archive.descriptor.describe_squashed

    def gone(self, *arguments, **options):
        suspect.write_bytes(b"changed meanwhile")
        return describe(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(homing.Descriptor, "describe_squashed", gone)
        (result,) = results
    assert result.reason is None
    assert [hit.confirmed for hit in result.hits] == [None] * 3
