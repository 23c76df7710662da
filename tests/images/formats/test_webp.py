"""WebP files read and written back."""

import numpy as np
import pytest
from PIL import Image

from homing.errors import PictureError
from homing.images import decode_pixels, encode, encodings, psnr, read_picture
from tests.helpers.picture_files import PROFILE, XMP, exif, noise, opened, riff, saved, scene

METADATA = {"exif": exif(7), "icc_profile": PROFILE, "xmp": XMP}


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("metadata", [{}, METADATA, {"xmp": XMP}])
def test_lossless_stays_lossless(channels: int, metadata: dict[str, object]) -> None:
    samples = noise(20, 31, channels)
    samples[:5, :5, 3:] = 0  # colours beneath full transparency count too
    source = saved(samples, "WEBP", lossless=True, exact=True, **metadata)
    picture = read_picture(source)
    assert picture.lossless
    assert np.array_equal(picture.pixels, samples[..., :3])
    (only,) = encodings(picture)
    assert (only.name, only.lossy) == ("WebP lossless", False)
    written = encode(picture, samples[..., :3] ^ 1, encoding=only)
    assert np.array_equal(decode_pixels(written), samples[..., :3] ^ 1)
    assert opened(written).mode == ("RGB" if channels == 3 else "RGBA")
    if channels == 4:
        assert np.array_equal(np.asarray(opened(written))[..., 3], samples[..., 3])
    for name in (b"EXIF", b"ICCP", b"XMP "):
        assert riff(written).get(name) == riff(source).get(name)
    assert bool(metadata) == (b"VP8X" in riff(written) and b"XMP " in riff(written))


@pytest.mark.parametrize("channels", [3, 4])
def test_lossy_ladder_rises(channels: int) -> None:
    samples = scene(60, 80, channels)
    picture = read_picture(saved(samples, "WEBP", quality=80, **METADATA))
    assert not picture.lossless
    assert picture.orientation == 7
    ladder = encodings(picture)
    assert [each.name for each in ladder] == ["WebP 95", "WebP 100", "WebP lossless"]
    files = [encode(picture, picture.pixels, encoding=each) for each in ladder]
    quality = [psnr(decode_pixels(file), picture.pixels, peak=255) for file in files]
    assert quality == sorted(quality)
    assert quality[0] > 33
    assert quality[2] == np.inf
    for file in files:
        after = read_picture(file)
        assert after.orientation == 7
        assert opened(file).info["icc_profile"] == PROFILE
        if channels == 4:
            assert np.array_equal(after.alpha, picture.alpha)


def test_animations_and_truncations_are_refused() -> None:
    second = Image.fromarray(scene(20, 31) ^ 255)
    with pytest.raises(PictureError, match="animated"):
        read_picture(saved(scene(20, 31), "WEBP", save_all=True, append_images=[second]))
    for lossless in (False, True):
        data = saved(scene(20, 31), "WEBP", lossless=lossless, **METADATA)
        for end in range(1, len(data) - 1, 11):
            with pytest.raises(PictureError):
                read_picture(data[:end])


def test_grey_becomes_colour_only_without_a_grey_profile() -> None:
    grey = scene(20, 31, 1)
    picture = read_picture(saved(grey, "PNG"))
    written = encode(picture, picture.pixels, encoding=encodings(picture, "WEBP")[0])
    assert np.array_equal(decode_pixels(written), np.repeat(grey, 3, axis=2))
    profile = PROFILE[:16] + b"GRAY" + PROFILE[20:]
    picture = read_picture(saved(grey, "PNG", icc_profile=profile))
    with pytest.raises(PictureError, match="grey profile"):
        encode(picture, picture.pixels, encoding=encodings(picture, "WEBP")[0])


def test_too_long_a_side_is_refused() -> None:
    picture = read_picture(saved(noise(1, 16384), "PNG"))
    with pytest.raises(PictureError, match="at most 16383"):
        encode(picture, picture.pixels, encoding=encodings(picture, "WEBP")[0])
