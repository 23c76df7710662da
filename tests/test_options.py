"""Options of releases and searches: their values, and what they refuse."""

import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

import homing
from homing.errors import UsageError
from homing.options import Activation, Limits, SearchOptions, as_paths


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"psnr": 29.9}, "psnr must be between 30 and 70 dB, not 29.9"),
        ({"psnr": 70.1}, "psnr must be between 30 and 70 dB, not 70.1"),
        ({"psnr": float("nan")}, "psnr must be between"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"format": "gif"}, "one of jpeg, png, webp, tiff, not 'gif'"),
    ],
)
def test_an_activation_out_of_range_is_refused(wrong, words):
    with pytest.raises(UsageError, match=words):
        Activation(**wrong)


@pytest.mark.parametrize("format_", [None, "jpeg", "JPEG", "jpg", "png", "webp", "tif", "tiff"])
def test_formats_are_known_by_their_names_and_suffixes(format_):
    assert Activation(format=format_).format == format_


def test_further_codebooks_are_a_tuple_however_they_are_given():
    assert Activation().also == ()
    assert Activation(also="IVF64,PQ8x8").also == ("IVF64,PQ8x8",)
    assert Activation(also=Path("a.safetensors")).also == (Path("a.safetensors"),)
    assert Activation(also=["a", "b"]) == Activation(also=("a", "b"))
    assert hash(Activation(also=["a"])) == hash(Activation(also="a"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"k": 0},
        {"rerank": -1},
        {"probes": 0},
        {"views": "sideways"},
        {"rate": 0.0},
        {"rate": 1.0},
        {"deadline": 0.0},
        {"deadline": float("nan")},
    ],
)
def test_a_search_out_of_range_is_refused(wrong):
    with pytest.raises(UsageError):
        SearchOptions(**wrong)


def test_options_are_values():
    assert SearchOptions(k=3) == SearchOptions(k=3)
    with pytest.raises(FrozenInstanceError):
        SearchOptions().k = 3  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Activation().psnr = 50.0  # type: ignore[misc]
    with pytest.raises(UsageError, match="limits must be at least 1"):
        Limits(max_pixels=0)


def test_one_path_or_several():
    assert as_paths("a") == as_paths(Path("a")) == as_paths(["a"]) == [Path("a")]
    assert as_paths(()) == []


def test_they_are_imported_without_torch_or_pillow():
    code = (
        "import sys; from homing.options import Activation, SearchOptions; SearchOptions(k=1); "
        "assert not {'torch', 'faiss', 'lance', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_further_codebooks_may_come_from_any_iterable():
    assert Activation(also=(name for name in "ab")).also == ("a", "b")  # type: ignore[arg-type]


def test_a_misspelt_option_is_named_with_the_nearest():
    archive = homing.Archive.__new__(homing.Archive)
    for call, words in [
        (
            lambda: archive.release("photos", out="out", metod="paper"),
            "release .*'metod'.*'method'",
        ),
        (lambda: archive.release("photos", out="out", manifst="m"), "release .*'manifest'"),
        (lambda: archive.search("a.jpg", viwes="all"), "search .*'viwes': did you mean 'views'"),
        (
            lambda: next(archive.search_each(["a.jpg"], kay=1, rat=1)),
            "search_each .*: there are k,",
        ),
        (lambda: homing.activate([], None, None, pnsr=40), "activate .*'psnr'"),
        (lambda: homing.ActivationLayer(None, None, pnsr=40), "ActivationLayer .*'psnr'"),
    ]:
        with pytest.raises(homing.UsageError, match=words):
            call()
