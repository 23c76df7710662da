"""The signal type: pictures hashed and compared, by the interface of the real package."""

import io
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from threatexchange.content_type.photo import PhotoContent
from threatexchange.interface_validation import SignalTypeMapping

from homing.errors import DescriptorError, UsageError
from homing.integrations.threatexchange import TX_MANIFEST, HomingSignal, signal
from tests.helpers.pictures import picture


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def test_a_copy_matches_and_another_picture_does_not(tmp_path: Path) -> None:
    original = picture(1, (320, 240))
    copy = original.crop((20, 12, 300, 228)).resize((160, 124))
    given = HomingSignal.hash_from_bytes(encoded(original, "PNG"))
    (tmp_path / "copy.jpg").write_bytes(encoded(copy, quality=50))
    near = HomingSignal.compare_hash(given, HomingSignal.hash_from_file(tmp_path / "copy.jpg"))
    assert near.match
    assert 0 < near.distance.distance < 0.1
    far = HomingSignal.compare_hash(given, HomingSignal.hash_from_bytes(encoded(picture(2))))
    assert not far.match
    assert float(far.distance.pretty_str()) > 0.1
    assert not HomingSignal.compare_hash(given, given, threshold=-1).match


def test_examples_are_signals_of_pictures_that_anybody_has() -> None:
    data = pytest.importorskip("skimage.data")
    for example, name in zip(HomingSignal.get_examples(), ("chelsea", "coffee"), strict=True):
        found = HomingSignal.hash_from_bytes(encoded(Image.fromarray(getattr(data, name)()), "PNG"))
        assert HomingSignal.compare_hash(example, found).distance.distance < 0.001


def test_no_signal_of_what_shows_nothing_or_cannot_be_read(caplog, tmp_path: Path) -> None:
    caplog.set_level(logging.WARNING, "homing")
    assert HomingSignal.hash_from_bytes(encoded(Image.new("RGB", (64, 64)), "PNG")) == ""
    assert HomingSignal.hash_from_bytes(b"no picture") == ""
    assert HomingSignal.hash_from_file(tmp_path / "missing.jpg") == ""
    assert len(caplog.records) == 3


def test_signals_are_checked() -> None:
    (example, _) = HomingSignal.get_examples()
    assert HomingSignal.validate_signal_str(f" {example}\n") == example
    with pytest.raises(UsageError):
        HomingSignal.validate_signal_str(example[:-1] + "A")
    random = HomingSignal.get_random_signal()
    assert HomingSignal.validate_signal_str(random) == random
    assert random != HomingSignal.get_random_signal()


def test_it_is_registered_for_photos() -> None:
    assert TX_MANIFEST.signal_types == (HomingSignal,)
    mapping = SignalTypeMapping([PhotoContent], list(TX_MANIFEST.signal_types))
    assert mapping.get_supported_signal_types_for_content(PhotoContent) == [HomingSignal]
    assert HomingSignal.get_name() == "homing_s3"


def test_another_descriptor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "TAG", b"\0\0\0\0")
    with pytest.raises(DescriptorError, match="cannot be compared"):
        signal._descriptor.__wrapped__()


def test_matching_loads_no_torch() -> None:
    code = (
        "import sys; from homing.integrations.threatexchange import HomingIndex, HomingSignal\n"
        "e = HomingSignal.get_examples()\n"
        "assert HomingIndex.build([(e[0], 1)]).query(e[0])[0].metadata == 1\n"
        "assert HomingSignal.compare_hash(*e).match is False\n"
        "assert 'torch' not in sys.modules and 'faiss' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120)


def test_the_vector_is_the_descriptors_own() -> None:
    import homing
    from homing.integrations.threatexchange.codes import from_signal, to_vectors

    image = picture(3)
    (vector,) = homing.load_descriptor("homing-s").describe([image])
    codes = from_signal(HomingSignal.hash_from_bytes(encoded(image, "PNG")))
    assert float(np.dot(to_vectors(codes[np.newaxis])[0], vector)) > 0.9998
