"""Checksums of the code that made cached values."""

import importlib.metadata
import shutil
from dataclasses import fields, replace
from functools import partial
from importlib import resources
from pathlib import Path

import pytest
from PIL import ImageOps

from homing.activation import METHODS, Method, find_method
from homing.activation.masking.perceptual import PUBLISHED
from homing.activation.simulated_edits.edits import EditPlan
from homing.bench.dataset import near_duplicates
from homing.bench.encode import code_checksum as module
from homing.bench.encode import shards
from homing.bench.encode.code_checksum import code_checksum, describe_fields, function_checksum
from homing.bench.encode.variants import Copy
from homing.edits import PAPER, make_edit


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package's modules, for which checksums are made."""
    root = tmp_path / "homing"
    shutil.copytree(
        Path(str(resources.files("homing"))),
        root,
        ignore=lambda folder, names: [
            n for n in names if not n.endswith(".py") and not (Path(folder) / n).is_dir()
        ],
    )
    monkeypatch.setattr(module.resources, "files", lambda name: tmp_path / name)
    code_checksum.cache_clear()
    yield root
    code_checksum.cache_clear()


def changes(root, source, cached):
    """Return whether a change of a module invalidates the cached value."""
    before = code_checksum(cached._SOURCES, cached._PACKAGES)
    with (root / source).open("a") as file:
        file.write("# another version\n")
    code_checksum.cache_clear()
    return code_checksum(cached._SOURCES, cached._PACKAGES) != before


def test_rows_are_made_anew_by_other_code(package):
    for source in (
        "images/read_small.py", "images/formats/jpeg.py", "edits/paper.py",
        "descriptors/descriptor.py",
        "descriptors/pooling.py", "bench/encode/variants.py", "bench/encode/hashes.py",
        "bench/encode/encoders.py", "bench/encode/shards.py", "bench/encode/pipeline.py",
    ):  # fmt: skip
        assert changes(package, source, shards), source
    assert not changes(package, "bench/report/descriptor_report.py", shards)


def test_verdicts_are_made_anew_by_other_code(package):
    for source in (
        "images/picture.py",
        "bench/encode/variants.py",
        "bench/dataset/local_features.py",
    ):
        assert changes(package, source, near_duplicates), source
    assert not changes(package, "descriptors/pooling.py", near_duplicates)


def test_code_in_folders_of_a_folder_counts(package):
    inner = package / "images" / "formats"
    inner.mkdir(exist_ok=True)
    (inner / "new.py").write_text("value = 1\n")
    code_checksum.cache_clear()
    for cached in (shards, near_duplicates):
        assert changes(package, "images/formats/new.py", cached)


@pytest.mark.parametrize(("cached", "name"), [
    (shards, "pillow"), (shards, "torch"), (near_duplicates, "opencv-python-headless"),
])  # fmt: skip
def test_another_version_of_a_package_counts(cached, name, monkeypatch):
    before = code_checksum(cached._SOURCES, cached._PACKAGES)
    version = importlib.metadata.version
    monkeypatch.setattr(
        module.importlib.metadata, "version", lambda n: "0" if n == name else version(n)
    )
    code_checksum.cache_clear()
    assert code_checksum(cached._SOURCES, cached._PACKAGES) != before
    code_checksum.cache_clear()


def test_every_field_of_a_method_counts():
    method, other = METHODS["robust"], METHODS["paper"]
    masking = method.masking
    changed = {
        "name": [replace(method, name="mine")],
        "summary": [replace(method, summary="mine")],
        "settings": [replace(method, settings=replace(method.settings, rate=0.1))],
        "objective": [replace(method, objective=other.objective)],
        "masking": [
            replace(method, masking=replace(masking, tolerance=PUBLISHED.tolerance)),
            replace(method, masking=replace(masking, unseen_gain=None)),
            replace(method, masking=replace(masking, luminance_alone=False)),
            replace(method, masking=replace(masking, channels=(1.0, 0.5, 1.0))),
            replace(method, masking=replace(masking, grey=0.5)),
        ],
        "least_visible": [replace(method, least_visible=None)],
        "lookahead": [replace(method, lookahead=EditPlan(toned=1))],
    }
    assert changed.keys() == {each.name for each in fields(Method)}
    counted = ("homing.activation",)
    before = describe_fields(method, counted)
    assert describe_fields(replace(method), counted) == before
    for name, variants in changed.items():
        for variant in variants:
            found = describe_fields(variant, counted)
            assert [key for key in found if found[key] != before[key]] == [name]


def posterise(image, generator, bits=3):
    return ImageOps.posterize(image, bits)


def test_cached_rows_of_an_edit_depend_on_its_code():
    two, three = (Copy(make_edit("bits", partial(posterise, bits=b)), (0,)).key for b in (2, 3))
    assert two != three
    assert two == Copy(make_edit("bits", partial(posterise, bits=2)), (0,)).key
    keys = [Copy(edit, (0,)).key for edit in PAPER]
    assert len(set(keys)) == len(keys)


def test_a_function_without_source_differs_from_every_other():
    found = set()
    for name in ("nowhere", "nowhere.else"):

        def function():
            pass

        function.__module__ = name
        found.add(function_checksum(function, ()))
        assert function_checksum(function, ()) in found
    assert len(found) == 2


@pytest.mark.parametrize("name", ["homing.activation", "homing.activation.methods"])
def test_the_packages_own_methods_are_counted_with_its_code(name):
    assert function_checksum(find_method("paper").objective, (name,)) == ""
