"""Views: the edits undone for a query, and their names."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from homing.errors import PictureError, UsageError
from homing.images import squash
from homing.options import VIEWS
from homing.search.views import query_views
from tests.helpers.pictures import picture

SIZE = 32


def views(image, which="all") -> dict[str, np.ndarray]:
    found = query_views(image, SIZE, which)
    assert all(view.pixels.shape == (SIZE, SIZE, 3) for view in found)
    assert len({view.name for view in found}) == len(found)
    return {view.name: view.pixels for view in found}


def test_each_set_holds_the_smaller_one_first() -> None:
    named = [list(views(picture(), which)) for which in VIEWS]
    assert [len(names) for names in named] == [1, 8, 13]
    assert named[0] == ["upright"]
    assert named[1][:1] == named[0]
    assert named[2][:8] == named[1]
    assert "mirrored, turned 270°" in named[1]
    assert "inner crop (centre)" in named[2]


@pytest.mark.parametrize("which", VIEWS)
def test_a_blank_picture_has_none(which) -> None:
    assert views(Image.new("L", (90, 70), 250), which) == {}


def test_blank_parts_are_left_out() -> None:
    image = picture(size=(100, 80))
    image.paste("white", (10, 8, 90, 72))
    found = views(image)
    assert "inner crop (centre)" not in found
    assert "inner crop (upper half)" in found


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_view_undoes_the_posture_that_it_names(turns, mirrored) -> None:
    original = picture()
    copy = original.rotate(-90 * turns, expand=True)  # clockwise
    if mirrored:  # after the turn: the view mirrors first and turns then
        copy = ImageOps.mirror(copy)
    words = ["mirrored"] * mirrored + [f"turned {90 * turns}°"] * bool(turns)
    view = views(copy, "turned")[", ".join(words) or "upright"]
    assert np.abs(view.astype(int) - squash(original, SIZE)).max() <= 1


def test_a_frame_is_cut_and_named() -> None:
    original = picture(1, (160, 120))
    canvas = Image.new("RGB", (160, 200), "white")
    canvas.paste(original, (0, 50))
    found = views(canvas)
    assert len(found) == 21
    assert np.abs(found["border cut"].astype(int) - squash(original, SIZE)).mean() < 4
    turned = found["border cut, turned 90°"]
    assert np.array_equal(turned, np.rot90(found["border cut"]))
    left = found["border cut, inner crop (left half)"]
    assert np.abs(left.astype(int) - squash(original.crop((0, 0, 80, 120)), SIZE)).mean() < 4


@pytest.mark.parametrize("form", ["path", "bytes", "image"])
def test_paths_bytes_and_pictures_look_alike(tmp_path, form) -> None:
    original = picture(2, (300, 200))
    exif = Image.Exif()
    exif[274] = 6  # stored turned by a quarter
    path = tmp_path / "picture.png"
    original.rotate(90, expand=True).save(path, exif=exif)
    data = path.read_bytes()
    given = {"path": path, "bytes": data, "image": Image.open(io.BytesIO(data))}[form]
    found = views(given)
    for part, box in {"upper half": (0, 0, 300, 100), "right half": (150, 0, 300, 200)}.items():
        wanted = squash(original.crop(box), SIZE).astype(int)
        assert np.abs(found[f"inner crop ({part})"] - wanted).max() <= 2
    assert np.abs(found["upright"] - squash(original, SIZE).astype(int)).max() <= 1


def test_a_picture_of_few_pixels_has_all_views() -> None:
    assert len(views(picture(size=(3, 3)))) == 13


def test_what_cannot_be_viewed_is_refused(tmp_path) -> None:
    with pytest.raises(UsageError, match="upright, turned, all"):
        query_views(picture(), SIZE, "sideways")
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(PictureError):
        query_views(tmp_path / "bad.jpg", SIZE, "all")
