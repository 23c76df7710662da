"""Caches know by what code their values were made."""

import importlib.metadata
import shutil
from dataclasses import fields, replace
from importlib import resources
from pathlib import Path

import pytest

from homing.activation import METHODS, Method
from homing.activation.masking.perceptual import PUBLISHED
from homing.activation.simulated_edits.edits import EditPlan
from homing.bench.dataset import near_duplicates as twins
from homing.bench.encode import definitions as module
from homing.bench.encode import shards
from homing.bench.encode.definitions import definitions, fields_of


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package's modules, whose code counts."""
    root = tmp_path / "homing"
    shutil.copytree(
        Path(str(resources.files("homing"))),
        root,
        ignore=lambda folder, names: [
            n for n in names if not n.endswith(".py") and not (Path(folder) / n).is_dir()
        ],
    )
    monkeypatch.setattr(module.resources, "files", lambda name: tmp_path / name)
    definitions.cache_clear()
    yield root
    definitions.cache_clear()


def changes(root, source, cached):
    """Whether a change of a module makes what is cached worthless."""
    before = definitions(cached._SOURCES, cached._PACKAGES)
    with (root / source).open("a") as file:
        file.write("# another version\n")
    definitions.cache_clear()
    return definitions(cached._SOURCES, cached._PACKAGES) != before


def test_rows_are_made_anew_by_other_code(package):
    for source in (
        "images/read_small.py", "images/formats/jpeg.py", "edits/paper.py",
        "descriptors/descriptor.py",
        "descriptors/pooling.py", "bench/encode/variants.py", "bench/encode/hashes.py",
        "bench/encode/encoders.py", "bench/encode/shards.py", "bench/encode/describe.py",
    ):  # fmt: skip
        assert changes(package, source, shards), source
    assert not changes(package, "bench/report/report.py", shards)


def test_verdicts_are_made_anew_by_other_code(package):
    for source in (
        "images/picture.py",
        "bench/encode/variants.py",
        "bench/dataset/local_features.py",
    ):
        assert changes(package, source, twins), source
    assert not changes(package, "descriptors/pooling.py", twins)


def test_code_in_folders_of_a_folder_counts(package):
    inner = package / "images" / "formats"
    inner.mkdir(exist_ok=True)
    (inner / "new.py").write_text("value = 1\n")
    definitions.cache_clear()
    for cached in (shards, twins):
        assert changes(package, "images/formats/new.py", cached)


@pytest.mark.parametrize(("cached", "name"), [
    (shards, "pillow"), (shards, "torch"), (twins, "opencv-python-headless"),
])  # fmt: skip
def test_another_version_of_a_package_counts(cached, name, monkeypatch):
    before = definitions(cached._SOURCES, cached._PACKAGES)
    version = importlib.metadata.version
    monkeypatch.setattr(
        module.importlib.metadata, "version", lambda n: "0" if n == name else version(n)
    )
    definitions.cache_clear()
    assert definitions(cached._SOURCES, cached._PACKAGES) != before
    definitions.cache_clear()


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
            replace(method, masking=replace(masking, rms_cap=None)),
            replace(method, masking=replace(masking, channels=(1.0, 1.0, 1.0))),
        ],
        "least_ssim": [replace(method, least_ssim=None)],
        "lookahead": [replace(method, lookahead=EditPlan(toned=1))],
    }
    assert changed.keys() == {each.name for each in fields(Method)}
    counted = ("homing.activation",)
    before = fields_of(method, counted)
    assert fields_of(replace(method), counted) == before
    for name, variants in changed.items():
        for variant in variants:
            found = fields_of(variant, counted)
            assert [key for key in found if found[key] != before[key]] == [name]
