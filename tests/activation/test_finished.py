"""Full-size changes from gains on the descriptor's grid. Whole files: test_activator.py."""

import numpy as np
import pytest
from PIL import Image

from homing.activation import finished
from homing.activation.finished import coding, full_change
from homing.errors import PictureError
from homing.images import read_picture
from homing.images.formats.jpeg_behind import BEHIND_LEFT_OUT
from homing.images.formats.jpeg_structure import walk
from tests.helpers.jpegs import segment
from tests.helpers.picture_files import saved, scene, with_segments
from tests.helpers.pictures import decibels

SHAPES = [(1, 1), (1, 500), (500, 1), (33, 47), (16, 16), (100, 60)]


def _parts(shape: tuple[int, int], channels: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(2)
    gain = generator.normal(size=(16, 16, channels)).astype(np.float32)
    tolerance = generator.uniform(0.02, 0.2, shape).astype(np.float16)
    return gain, tolerance


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_change_is_the_gain_interpolated_times_the_tolerance(
    shape: tuple[int, int], channels: int
) -> None:
    gain, tolerance = _parts(shape, channels)
    expected = [
        Image.fromarray(gain[..., c]).resize(shape[::-1], Image.Resampling.BICUBIC)
        for c in range(channels)
    ]
    found = full_change(gain, tolerance)
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        found, np.stack(expected, 2) * tolerance[..., None].astype(np.float32), atol=1e-6
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_bands_do_not_show(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    gain, tolerance = _parts(shape, 3)
    whole = full_change(gain, tolerance)
    monkeypatch.setattr(finished, "_BAND_PIXELS", 130)
    np.testing.assert_allclose(full_change(gain, tolerance), whole, atol=1e-6)


def test_a_large_picture_has_its_change_in_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    gain, tolerance = _parts((33, 47), 3)
    whole = full_change(gain, tolerance)
    monkeypatch.setattr(finished, "_LARGE", 1000)
    half = full_change(gain, tolerance)
    assert half.dtype == np.float16
    np.testing.assert_allclose(half.astype(np.float32), whole, rtol=6e-4, atol=1e-6)


def test_no_tolerance_no_change() -> None:
    gain, tolerance = _parts((33, 47), 3)
    tolerance[10:20] = 0
    change = full_change(gain, tolerance)
    assert not change[10:20].any()
    assert change[:10].all()


def _change(height: int, width: int) -> np.ndarray:
    coarse = np.random.default_rng(1).normal(0, 0.012, (16, 16, 3)).astype(np.float32)
    return full_change(coarse, np.ones((height, width), np.float16))


@pytest.mark.parametrize("options", [{"quality": 90}, {"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_a_jpeg_keeps_all_but_its_pixels(options: dict[str, object], mode: str) -> None:
    pixels = (64 + scene(120, 160) // 2).astype(np.uint8)
    thermal = (0xE3, bytes(range(200)))
    source = with_segments(
        saved(Image.fromarray(pixels).convert(mode), "JPEG", **options), [thermal]
    )
    source += b"a video"
    picture = read_picture(source)
    code, notes = coding(picture, _change(120, 160), "JPEG", 42.0)
    coded = code(1.0)
    assert notes == picture.notes
    assert coded.psnr == pytest.approx(decibels(picture.pixels, coded.pixels))
    assert 42 <= coded.psnr < 42.2
    assert np.array_equal(coded.pixels, read_picture(coded.data).pixels)
    assert segment(*thermal) in coded.data
    assert coded.data.endswith(b"a video")
    assert code(1.0).data == coded.data
    assert code(0.5).psnr >= 48


def _with_rare_segment(data: bytes) -> bytes:
    """Put a DNL segment behind the scan, which decoders skip where it says nothing new."""
    scan = walk(data)[0][-1]
    return data[: scan.after] + segment(0xDC, b"\0\x40") + data[scan.after :]


def test_a_rare_jpeg_is_coded_anew_and_the_note_says_why() -> None:
    data = saved(scene(64, 64), "JPEG")
    odd = _with_rare_segment(data) + b"behind" * 9
    picture = read_picture(odd)
    code, notes = coding(picture, _change(64, 64), "JPEG", 42.0)
    assert "coded anew" in notes[-1]
    assert BEHIND_LEFT_OUT in notes
    assert code(1.0).psnr >= 42
    with_pixels, notes = coding(read_picture(data + b"behind"), _change(64, 64), "PNG", 42.0)
    assert notes == (BEHIND_LEFT_OUT,)
    assert with_pixels(1.0).psnr >= 42


def test_inks_that_cannot_be_changed_are_refused() -> None:
    data = _with_rare_segment(saved(Image.fromarray(scene(64, 64)).convert("CMYK"), "JPEG"))
    with pytest.raises(PictureError, match="CMYK"):
        coding(read_picture(data), _change(64, 64), "JPEG", 42.0)[0](1.0)


@pytest.mark.parametrize("tried_in_part", [0, 1_000_000])
def test_a_change_of_nothing_leaves_the_source(
    tried_in_part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finished, "_TRIED_IN_PART", tried_in_part)
    source = saved(scene(64, 64), "JPEG")
    code, _ = coding(read_picture(source), np.zeros((64, 64, 3), np.float32), "JPEG", 42.0)
    assert code(1.0).data == source


def test_a_part_is_tried_before_a_large_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finished, "_TRIED_IN_PART", 0)
    monkeypatch.setattr("homing.activation.laid._SAMPLED_BLOCKS", 300)
    written = []
    monkeypatch.setattr(
        finished,
        "decode_jpeg",
        lambda data, header, real=finished.decode_jpeg: (
            written.append(header.height) or real(data, header)
        ),
    )
    pixels = (64 + scene(480, 200) // 2).astype(np.uint8)
    picture = read_picture(saved(pixels, "JPEG", quality=85))
    code, _ = coding(picture, _change(480, 200), "JPEG", 42.0)
    assert 42 <= code(1.0).psnr < 42.2
    assert max(written[:2]) < 240  # the sample as it is, and with the change
    assert written.count(480) <= 2
