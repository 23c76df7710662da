"""Files changed after they were recorded: recognised, and taken in again."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from homing.archive.previews.recognition import CHANGED
from tests.helpers.pictures import make_pictures


def caption(file: Path) -> None:
    """Add a comment, as a picture desk does."""
    data = file.read_bytes()
    file.write_bytes(data[:2] + b"\xff\xfe\0\x12Sea, at Brighton" + data[2:])


def retouch(file: Path) -> None:
    image = Image.open(file)
    image.load()
    image.paste("white", (0, 0, 40, 40))
    image.save(file)


@pytest.fixture
def photos(tmp_path):
    return make_pictures(tmp_path / "photos", 2)


@pytest.fixture
def out(archive, photos, tmp_path):
    archive.release(photos, out=tmp_path / "out", method="paper")
    return tmp_path / "out"


def test_a_released_file_with_a_caption_is_taken_in_again(archive, out, photos, tmp_path):
    before = archive.entry("000.jpg")
    caption(out / "000.jpg")
    (problem,) = archive.verify().problems
    assert f"000.jpg was {CHANGED}: record it as it is now with 'homing add'" in problem.message
    skipped, _ = archive.release(out, out=tmp_path / "again")
    assert skipped.status == "skipped"
    assert f"the released file of '000.jpg', {CHANGED}: left as it is" in skipped.reason
    added, other = archive.add(out)
    assert (added.status, other.status) == ("added", "skipped")
    assert added.notes == (f"its file was {CHANGED}: recorded as it is now",)
    after = archive.entry("000.jpg")
    assert after.file_sha256 != before.file_sha256
    assert (after.file, after.source_sha256) == (before.file, before.source_sha256)
    assert archive.verify().clean
    assert archive.search(out / "000.jpg")[0].verdict == "file"
    assert [each.status for each in archive.add(out)] == ["skipped"] * 2
    assert [each.status for each in archive.release(photos, out=out)] == ["skipped"] * 2


def test_a_changed_copy_elsewhere_replaces_a_file_that_is_gone(archive, out, tmp_path):
    shutil.copytree(out, tmp_path / "moved")
    caption(tmp_path / "moved" / "000.jpg")
    kept, _ = archive.add(tmp_path / "moved")
    assert kept.status == "skipped"
    assert "the one recorded" in kept.reason
    (out / "000.jpg").unlink()
    assert archive.add(tmp_path / "moved").count("added") == 1
    assert archive.entry("000.jpg").file == "../moved/000.jpg"
    assert archive.verify().clean


def test_an_added_picture_with_a_caption(archive, photos, tmp_path):
    archive.add(photos)
    caption(photos / "000.jpg")
    failed, _ = archive.release(photos, out=tmp_path / "out", method="paper")
    assert failed.status == "failed"
    assert f"the picture added as '000.jpg', {CHANGED}" in failed.reason
    assert archive.add(photos, workers=2).count("added") == 1
    assert archive.add(photos).count("skipped") == 2
    assert archive.search(photos / "000.jpg")[0].verdict == "file"
    assert archive.release(photos, out=tmp_path / "out", method="paper").count("released") == 1
    assert archive.entry("000.jpg").state == "released"


def test_other_pixels_are_another_picture(archive, out, photos, tmp_path):
    retouch(out / "000.jpg")
    caption(photos / "001.jpg")  # the source of a released file is not that file
    assert "(SHA-256 differs)" in archive.verify().problems[0].message
    for folder, place in ((out, 0), (photos, 1)):
        for report in (archive.add(folder), archive.release(folder, out=tmp_path / "again")):
            assert [each.status for each in report][place] == "failed"
            assert "or by this one before it was changed" in list(report)[place].reason
    assert not (tmp_path / "again" / "000.jpg").exists()


def test_without_previews_nothing_is_recognised(create, photos, tmp_path):
    archive = create("plain", previews=0)
    archive.add(photos)
    caption(photos / "000.jpg")
    failed, _ = archive.add(photos)
    assert failed.status == "failed"
    found = archive.sources([photos]).find("000.jpg")
    assert isinstance(found, str)
    assert "has changed since it was recorded (a caption, say), or is another picture" in found
