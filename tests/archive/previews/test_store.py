"""Packs of previews: written durably, read in parts, in a folder and in an object store."""

import hashlib
import time

import pytest

import homing
from homing.archive.previews import store as store_module
from homing.archive.previews.store import NO_PREVIEW, PreviewStore, written_at
from homing.archive.table.rows import PreviewReference
from homing.images.preview import preview_of
from tests.helpers.pictures import picture


@pytest.fixture
def store(tmp_path):
    return PreviewStore(tmp_path / "previews", 480)


PREVIEWS = [preview_of(picture(number), 480) for number in range(5)]


def test_what_is_written_is_read(store, monkeypatch):
    references = store.write(PREVIEWS)
    assert [store.read(each) for each in references] == PREVIEWS
    mixed = [references[3], None, references[0], references[3]]
    assert store.find(mixed) == [PREVIEWS[3], NO_PREVIEW, PREVIEWS[0], PREVIEWS[3]]
    (pack,) = store.packs()
    data = (store.folder / pack).read_bytes()
    assert data == b"".join(PREVIEWS) == store.read_pack(pack)
    assert pack.endswith(f"-{hashlib.sha256(data).hexdigest()[:32]}.pack")
    assert abs(written_at(pack) - time.time()) < 60
    assert store.write([]) == []
    monkeypatch.setattr(store_module, "_LARGEST", len(PREVIEWS[0]) + 1)
    assert [store.read(each) for each in store.write(PREVIEWS)] == PREVIEWS
    assert len(store.packs()) == 6


def test_what_is_missing_or_damaged_has_a_reason(store):
    first, second = store.write(PREVIEWS[:2])
    pack = PreviewReference.parse(first).pack
    with pytest.raises(ValueError, match="no name of a file"):
        PreviewReference.parse("../../secret:0:5")
    lost = first.replace(pack, "none.pack")
    wrong = ["nonsense", "../x:0:5", lost, f"{pack}:-3:10", f"{pack}:1:50", f"{pack}:0:{1 << 40}"]
    assert all(isinstance(each, str) for each in store.find(wrong))
    with pytest.raises(homing.ArchiveError, match=r"none.pack is missing or damaged.*verify"):
        store.read(lost)
    file = store.folder / pack
    file.write_bytes(file.read_bytes()[:-5])
    assert store.find([first])[0] == PREVIEWS[0]
    assert "damaged" in store.find([second])[0]
    assert store.read_pack(pack) is None
    assert store.read_pack("none.pack") is None


def test_there_are_no_packs_where_there_is_no_folder(store):
    assert store.packs() == []
    assert store.find([None]) == [NO_PREVIEW]
    assert store.find([]) == []
    assert written_at("odd") == 0
