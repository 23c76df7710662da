"""JPEG files read and written back."""

import io

import numpy as np
import pytest
from PIL import Image

from homing.errors import PictureError
from homing.images import decode_pixels, encode, encodings, psnr, read_picture
from homing.images.formats.jpeg import decode_jpeg, decode_written, parse_jpeg
from homing.images.limits import UNLIMITED
from homing.images.metadata.carried import notes_in_place
from tests.helpers.picture_files import (
    noise,
    opened,
    rich_jpeg,
    saved,
    scene,
    segments,
    with_segments,
)

CARRIED = (0xE0, 0xE1, 0xE2, 0xED, 0xFE)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_metadata_is_carried_byte_for_byte(level: int) -> None:
    source = rich_jpeg()
    picture = read_picture(source)
    written = encode(picture, 255 - picture.pixels, encoding=encodings(picture)[level])
    carried = [each for each in segments(source) if each[0] in CARRIED]
    assert [each for each in segments(written) if each[0] in CARRIED] == carried
    assert len(carried) >= 8
    before, after = opened(source), opened(written)
    for name in ("exif", "icc_profile", "dpi", "xmp", "comment", "photoshop"):
        assert before.info[name] == after.info[name]
    assert picture.orientation == read_picture(written).orientation == 6


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_written_without_subsampling(subsampling: int, progressive: bool) -> None:
    source = saved(scene(40, 56), "JPEG", subsampling=subsampling, progressive=progressive)
    picture = read_picture(source)
    assert picture.progressive is progressive
    written = opened(encode(picture, picture.pixels, encoding=encodings(picture)[0]))
    assert [layer[1:3] for layer in written.layer] == [(1, 1)] * 3
    assert bool(written.info.get("progressive")) is progressive


@pytest.mark.parametrize("progressive", [False, True])
def test_grey_stays_grey(progressive: bool) -> None:
    picture = read_picture(saved(scene(40, 56, 1), "JPEG", progressive=progressive))
    assert picture.pixels.shape == (40, 56, 1)
    written = encode(picture, picture.pixels, encoding=encodings(picture)[-1])
    assert opened(written).mode == "L"
    assert psnr(decode_pixels(written), picture.pixels, peak=255) > 45


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_pixels_are_those_that_pillow_decodes(options: dict[str, object]) -> None:
    data = saved(scene(41, 57), "JPEG", **options)
    assert np.array_equal(read_picture(data).pixels, np.asarray(Image.open(io.BytesIO(data))))


def test_ladder_rises() -> None:
    picture = read_picture(saved(scene(80, 120), "JPEG", quality=75))
    ladder = encodings(picture)
    assert [each.name for each in ladder] == ["JPEG 95", "JPEG 98", "JPEG 100"]
    files = [encode(picture, picture.pixels, encoding=each) for each in ladder]
    assert sorted(map(len, files)) == [len(file) for file in files]
    quality = [psnr(decode_pixels(file), picture.pixels, peak=255) for file in files]
    assert sorted(quality) == quality
    assert quality[0] > 38


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 51, 75, 90, 95, 97, 100])
def test_quality_is_estimated(quality: int) -> None:
    picture = read_picture(saved(scene(16, 16), "JPEG", quality=quality))
    assert picture.quality == quality
    assert all((each.quality or 0) >= quality for each in encodings(picture))


@pytest.mark.parametrize("progressive", [False, True])
def test_pure_noise_can_be_written(progressive: bool, capfd: pytest.CaptureFixture[str]) -> None:
    # 4:4:4 noise at quality 100 takes more than the two bytes a pixel of Pillow's buffer.
    picture = read_picture(saved(noise(300, 300), "JPEG", progressive=progressive))
    for encoding in encodings(picture):
        assert decode_pixels(encode(picture, noise(300, 300), encoding=encoding)).shape[2] == 3
    assert capfd.readouterr().err == ""


def test_rgb_stored_without_transform_keeps_its_colours() -> None:
    pixels = scene(40, 56)
    source = saved(pixels, "JPEG", quality=95, keep_rgb=True)
    picture = read_picture(source)
    written = encode(picture, picture.pixels, encoding=encodings(picture)[0])
    assert psnr(decode_pixels(written), pixels, peak=255) > 35


def test_content_credentials_are_left_out_with_a_note() -> None:
    source = with_segments(saved(scene(16, 16), "JPEG"), [(0xEB, b"JP\0\1\0\0\0\1jumb")])
    picture = read_picture(source)
    assert "credentials" in picture.notes[0]
    written = encode(picture, picture.pixels, encoding=encodings(picture)[0])
    assert 0xEB not in [marker for marker, _ in segments(written)]


def test_orientation_of_either_byte_order_and_of_nonsense() -> None:
    plain = saved(scene(16, 16), "JPEG")
    for mark, order in ((b"II*\0\x08\0\0\0", "little"), (b"MM\0*\0\0\0\x08", "big")):
        for value in (*range(1, 9), 0, 9, 65535):
            row = [number.to_bytes(2, order) for number in (1, 0x112, 3)]
            block = mark + b"".join(row) + (1).to_bytes(4, order) + value.to_bytes(2, order)
            source = with_segments(plain, [(0xE1, b"Exif\0\0" + block + b"\0" * 6)])
            assert read_picture(source).orientation == (value if 1 <= value <= 8 else 1)


def test_inks_are_read_as_they_are_shown() -> None:
    data = saved(Image.fromarray(scene(16, 16)).convert("CMYK"), "JPEG")
    picture = read_picture(data)
    assert picture.inks
    assert np.array_equal(picture.pixels, np.asarray(opened(data).convert("RGB")))
    for kind in ("png", "webp", "tiff"):
        with pytest.raises(PictureError, match=r"CMYK.*convert"):
            encodings(picture, kind)
    with pytest.raises(PictureError, match=r"CMYK.*convert"):
        encode(picture, picture.pixels, encoding=encodings(picture)[0])


def test_of_several_pictures_the_first_counts() -> None:
    first, second = (Image.fromarray(scene(16, n)) for n in (16, 24))
    picture = read_picture(saved(first, "MPO", save_all=True, append_images=[second]))
    assert picture.kind == "JPEG"
    assert picture.pixels.shape == (16, 16, 3)
    assert "behind the picture" in notes_in_place(picture)[0]


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [("marker", 0xC3, "lossless"), ("precision", 12, "12 bits"), ("height", 0, "height late")],
)
def test_rare_frames_are_refused_by_their_reason(at: str, value: int, reason: str) -> None:
    data = bytearray(saved(scene(16, 16), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + {"marker": 1, "precision": 4, "height": 6}[at]] = value
    with pytest.raises(PictureError, match=reason):
        read_picture(bytes(data))


def test_every_truncation_is_refused() -> None:
    data = rich_jpeg()
    for end in {*range(0, len(data) - 1, 997), *range(len(data) - 40, len(data) - 1)}:
        with pytest.raises(PictureError):
            read_picture(data[:end])


def test_damaged_exif_is_carried_without_a_warning() -> None:
    block = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(range(60))
    source = with_segments(saved(scene(16, 16), "JPEG"), [(0xE1, block)])
    picture = read_picture(source)
    written = encode(picture, picture.pixels, encoding=encodings(picture)[0])
    assert (0xE1, block) in segments(written)


@pytest.mark.parametrize("size", [(48, 64), (47, 63), (9, 8), (1, 1), (3, 100)])
@pytest.mark.parametrize("options", [{"subsampling": n} for n in (0, 1, 2)] + [{"keep_rgb": True}])
@pytest.mark.parametrize("progressive", [False, True])
def test_what_homing_wrote_is_decoded_to_the_same_pixels(size, options, progressive) -> None:
    for pixels in (scene(*size), scene(*size, 1)):
        data = saved(pixels, "JPEG", progressive=progressive, **options)
        header = parse_jpeg(data, UNLIMITED)
        assert np.array_equal(decode_written(data, header), decode_jpeg(data, header))
