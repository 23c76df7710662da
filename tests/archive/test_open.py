"""Archives created and opened, with their settings.

The folder's main test. Also: archive.py is tested by ingest/, reader.py by query/, upkeep.py by
test_verification.py, test_exchange.py and table/, results.py by all of them.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import homing
from homing.archive.settings import ArchiveSettings
from homing.files.small_json import decode, encode
from tests.helpers.archive import contents
from tests.helpers.pictures import make_pictures
from tests.helpers.vectors import DIMENSION, unit_vectors


def change_settings(archive: Path, **values: object) -> None:
    path = archive / "archive.json"
    path.write_bytes(encode(decode(path.read_bytes()) | values))


def test_a_new_archive_is_empty_and_opens_again(archive, codebook, network):
    again = homing.open(archive.path)
    assert len(archive) == len(again) == 0
    assert again.settings == archive.settings
    assert again.codebook.fingerprint == codebook.fingerprint == again.settings.codebook_fingerprint
    assert again.settings.descriptor_fingerprint == network.fingerprint
    assert again.settings.dimension == DIMENSION
    assert again.settings.codebook == "IVF8,PQ8x8"
    assert again.search_vectors(unit_vectors(2, 5)).ids.tolist() in ([[], []], [[None], [None]])
    assert again.verify().clean
    assert list(again.entries()) == []
    assert sorted(p.name for p in archive.path.iterdir()) == [
        "archive.json",
        "checksums",
        "codebook.safetensors",
        "entries.commits",
        "entries.lance",
    ]


def test_every_archive_has_an_identity_of_its_own(create):
    assert create("a").settings.identity != create("b").settings.identity


def test_an_empty_folder_becomes_an_archive(tmp_path, codebook, network):
    (tmp_path / "empty").mkdir()
    made = homing.create(tmp_path / "empty", descriptor=network, codebook=codebook)
    assert len(homing.open(made.path)) == 0


@pytest.mark.parametrize("name", ["a:b/c", "s3:x", "a#b", "a?b", "50%", "%20", "a b;c"])
def test_any_name_of_a_folder_will_do(tmp_path, network_file, codebook, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for place in (name, tmp_path / "whole" / name):
        made = homing.create(place, descriptor=network_file, codebook=codebook)
        made.release(make_pictures(tmp_path / "photos", 1), out=f"out {name}", method="paper")
        again = homing.open(place)
        assert again.verify().clean
        assert (again.path / "archive.json").is_file()
        (made.path / "gone").mkdir()
        Path(f"out {name}/000.jpg").unlink()
    assert {path.name for path in tmp_path.iterdir()} == {
        *("photos", "whole", Path(name).parts[0], Path(f"out {name}").parts[0])
    }


@pytest.mark.parametrize("what", ["file", "full folder", "link", "archive"])
def test_an_existing_file_or_folder_is_never_made_an_archive(
    tmp_path, archive, codebook, network, what
):
    place = tmp_path / "place"
    if what == "file":
        place.write_text("mine")
    elif what == "full folder":
        place.mkdir()
        (place / "mine").write_text("mine")
    elif what == "link":
        (tmp_path / "elsewhere").mkdir()
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place = archive.path
    before = contents(tmp_path)
    with pytest.raises(homing.ArchiveError, match="exists already"):
        homing.create(place, descriptor=network, codebook=codebook)
    assert contents(tmp_path) == before


def test_no_archive_can_be_made_below_a_file(tmp_path, codebook, network):
    (tmp_path / "file").touch()
    with pytest.raises(homing.ArchiveError, match="no archive can be made"):
        homing.create(tmp_path / "file" / "archive", descriptor=network, codebook=codebook)


def test_a_failed_creation_leaves_nothing(tmp_path, network):
    other = homing.train_codebook(
        unit_vectors(600, 1)[:, :64], "PQ8x8", descriptor=network.fingerprint
    )
    with pytest.raises(homing.CodebookError, match="64 dimensions"):
        homing.create(tmp_path / "archive", descriptor=network, codebook=other)
    assert list(tmp_path.iterdir()) == []


def test_a_codebook_for_another_descriptor_is_refused_with_both_fingerprints(tmp_path, network):
    other = homing.train_codebook(unit_vectors(600, 1), "PQ8x8", descriptor="ab" * 32)
    with pytest.raises(homing.CodebookError) as caught:
        homing.create(tmp_path / "archive", descriptor=network, codebook=other)
    assert "ab" * 32 in str(caught.value)
    assert network.fingerprint in str(caught.value)


@pytest.mark.parametrize("place", ["missing", "folder", "file", "file/below"])
def test_where_there_is_no_archive(tmp_path, place):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(homing.ArchiveError, match=r"no archive at .*homing init"):
        homing.open(tmp_path / place)


def test_an_archive_that_has_lost_its_settings_is_called_one(archive):
    (archive.path / "archive.json").unlink()
    with pytest.raises(
        homing.ArchiveError, match=r"archive\.json is missing; 'homing repair .*/arc"
    ):
        homing.open(archive.path)
    (archive.path / "checksums" / "archive.json.copy").unlink()
    with pytest.raises(homing.ArchiveError, match=r"archive\.json is missing; .* backup"):
        homing.open(archive.path)


def test_a_lost_codebook_is_to_be_copied_back(archive):
    (archive.path / "codebook.safetensors").unlink()
    with pytest.raises(homing.CodebookError, match="copy it back; released pictures"):
        homing.open(archive.path)


def test_what_stands_in_the_place_of_an_archive_is_named(tmp_path):
    (tmp_path / "a.jpg").touch()
    with pytest.raises(homing.ArchiveError, match=r"a\.jpg', which is a file; .*init archive"):
        homing.open(tmp_path / "a.jpg")
    with pytest.raises(homing.ArchiveError, match=r"which is a folder of other files; .*init arch"):
        homing.open(tmp_path)


@pytest.mark.parametrize("found", [0, 3, "1", None])
def test_another_format_is_refused(archive, found):
    change_settings(archive.path, format=found)
    with pytest.raises(homing.ArchiveError, match=r"has format .*knows 1 and 2"):
        homing.open(archive.path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}', "\xff"])
def test_damaged_settings_are_refused(archive, text):
    (archive.path / "archive.json").write_text(text, encoding="latin-1")
    with pytest.raises(homing.ArchiveError, match=r"archive\.json.*'homing repair .*archive' puts"):
        homing.open(archive.path)


def test_another_codebook_in_its_place_is_refused_with_both_fingerprints(archive, network):
    other = homing.train_codebook(
        unit_vectors(600, 2), "IVF8,PQ8x8", descriptor=network.fingerprint
    )
    file = archive.path / "codebook.safetensors"
    file.unlink()
    other.save(file)
    with pytest.raises(homing.CodebookError) as caught:
        homing.open(archive.path)
    assert other.fingerprint in str(caught.value)
    assert archive.codebook.fingerprint in str(caught.value)


@pytest.mark.parametrize("place", [0.5, 0.9, 0.999])
def test_a_codebook_with_one_bit_changed_is_refused(archive, place):
    file = archive.path / "codebook.safetensors"
    data = bytearray(file.read_bytes())
    data[int(place * len(data))] ^= 1
    file.write_bytes(data)
    with pytest.raises(homing.CodebookError):
        homing.open(archive.path)


def test_a_missing_codebook_is_named(archive):
    (archive.path / "codebook.safetensors").unlink()
    with pytest.raises(homing.CodebookError, match=r"codebook\.safetensors"):
        homing.open(archive.path)


def test_a_missing_record_is_an_error_of_the_archive(archive):
    (archive.path / "entries.lance").rename(archive.path / "gone")
    with pytest.raises(homing.ArchiveError, match=r"entries\.lance"):
        homing.open(archive.path)


def test_another_descriptor_is_refused_with_both_fingerprints(archive):
    own = homing.descriptor_from_callable(
        lambda x: x.mean((2, 3)), name="own", dimension=3, input_size=32
    )
    with pytest.raises(homing.DescriptorError) as caught:
        homing.open(archive.path, descriptor=own)
    assert own.fingerprint in str(caught.value)
    assert archive.settings.descriptor_fingerprint in str(caught.value)


def test_a_descriptor_that_has_changed_is_refused_when_it_is_needed(archive):
    change_settings(archive.path, descriptor_fingerprint="cd" * 32)
    opened = homing.open(archive.path)  # listing needs no descriptor
    assert list(opened.entries()) == []
    for call in (lambda: opened.search(b""), opened.verify):
        with pytest.raises(homing.DescriptorError, match="cd" * 32):
            call()


def test_settings_never_change_by_use(archive, tmp_path):
    before = (archive.path / "archive.json").read_bytes()
    archive.compact()
    archive.stats()
    assert (archive.path / "archive.json").read_bytes() == before
    with pytest.raises(dataclasses.FrozenInstanceError):
        archive.settings.expect = 3
    assert {f.name for f in dataclasses.fields(ArchiveSettings)} >= {
        "descriptor",
        "descriptor_fingerprint",
        "codebook",
        "codebook_fingerprint",
        "format",
    }


@pytest.mark.parametrize("shape", [(DIMENSION,), (2, DIMENSION + 1), (1, 1, DIMENSION)])
def test_vectors_of_another_shape_are_wrong_use(archive, shape):
    with pytest.raises(homing.UsageError, match="shape"):
        archive.search_vectors(np.zeros(shape, np.float32))


@pytest.mark.parametrize("wrong", [{"k": 0}, {"rerank": -1}, {"probes": 0}])
def test_numbers_out_of_range_are_wrong_use(archive, wrong):
    with pytest.raises(homing.UsageError):
        archive.search_vectors(unit_vectors(1, 0), **wrong)
