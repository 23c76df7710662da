"""Names of codebooks: one notation for every command and function."""

from pathlib import Path

import numpy as np
import pytest

import homing
from homing.archive.codebooks import choose_codebook
from homing.bench.states.codebooks import find_quantizer
from homing.codebooks import Factory, bundled_codebooks, load_codebook, save_codebook
from homing.codebooks.names import read_name
from homing.errors import CodebookError
from tests.helpers.vectors import unit_vectors

INFO = next(info for info in bundled_codebooks() if info.factory == "IVF64,PQ8x8")
OTHER = "IVF4,PQ8x8"


@pytest.fixture(scope="module")
def network() -> homing.Descriptor:
    return homing.load_descriptor("homing-s")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trained = homing.train_codebook(unit_vectors(400, 0, INFO.dimension), OTHER)
    path = tmp_path_factory.mktemp("codebooks") / "mine.safetensors"
    save_codebook(trained, path)
    return path


NAMES = {
    "IVF64,PQ8x8": INFO.fingerprint,
    "IVF64,PQ8": INFO.fingerprint,
    "ivf64, pq8x8": INFO.fingerprint,
    "homing-s-IVF64-PQ8x8": INFO.fingerprint,
    "HOMING-S-ivf64-pq8x8": INFO.fingerprint,
    "mine.safetensors": "the file's",
    "./mine.safetensors": "the file's",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_names_one_codebook_everywhere(
    name: str,
    file: Path,
    network: homing.Descriptor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(file.parent)
    wanted = load_codebook(file).fingerprint if "mine" in name else NAMES[name]
    made = homing.create(tmp_path / "archive", descriptor=network, codebook=name)
    grown = homing.create(tmp_path / "grown", descriptor=network, codebook="IVF256,PQ8x8")
    measured = find_quantizer(name, network, np.empty((0, 256), np.float32), tmp_path, 0)
    assert {
        "init": made.codebook.fingerprint,
        "adopt": grown.adopt(name).fingerprint,
        "--codebook, --also": choose_codebook(name, network, None)[0].fingerprint,
        "load_codebook": load_codebook(name).fingerprint,
        "bench --index": measured.codebook.fingerprint,
    } == dict.fromkeys(
        ("init", "adopt", "--codebook, --also", "load_codebook", "bench --index"), wanted
    )


def test_auto_is_the_same_codebook_too(network: homing.Descriptor) -> None:
    chosen, _ = choose_codebook("auto", network, None)
    assert load_codebook("auto") == load_codebook("Auto") == chosen


def test_a_factory_in_front_of_a_file_of_that_name(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "IVF64,PQ8x8").write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert load_codebook("IVF64,PQ8x8").fingerprint == INFO.fingerprint
    assert load_codebook("./IVF64,PQ8x8") == load_codebook(file)
    assert load_codebook(Path("IVF64,PQ8x8")) == load_codebook(file)


def test_only_the_bench_trains(network: homing.Descriptor, tmp_path: Path) -> None:
    vectors = unit_vectors(400, 1, INFO.dimension)
    for name, shown in ((OTHER, OTHER), (f"train:{OTHER}", OTHER), ("train:ivf64,PQ8", None)):
        found = find_quantizer(name, network, vectors, tmp_path, 0)
        assert found.name == (shown or "train:IVF64,PQ8x8")
        assert found.codebook.fingerprint != INFO.fingerprint
        assert read_name(found.name, network.fingerprint) == read_name(name)
    with pytest.raises(CodebookError, match=r"no codebook IVF4,PQ8x8 ships.*nearest: IVF\d+,PQ8x8"):
        load_codebook(OTHER)
    with pytest.raises(CodebookError, match="homing codebook train PHOTOS --factory IVF4,PQ8x8"):
        choose_codebook(OTHER, network, None)


def test_of_another_descriptor_nothing_ships() -> None:
    assert read_name("IVF64,PQ8x8", "00" * 32) == Factory("PQ", cells=64, sub_quantizers=8)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("IVF1024,", "half a name: write it without blanks, as in IVF1024,PQ8x8"),
        ("IVF64;PQ8x8", "Did you mean IVF64,PQ8x8"),
        ("homing-s-IVF65-PQ8x8", "Did you mean homing-s-IVF64-PQ8x8"),
        ("https://example.org/mine.safetensors", "is an address: download the file"),
        ("mime.safetensors", r"no codebook file 'mime.safetensors'; did you mean mine.safetensors"),
        ("other/mine.safetensors", "there is no folder 'other'"),
        ("train:HNSW32", "Accepted forms"),
        ("nothing", "neither a file nor a codebook.*ship with homing: IVF64,PQ8x8"),
    ],
)
def test_the_name_of_nothing_is_answered_with_the_nearest(
    name: str, words: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    with pytest.raises(CodebookError, match=words):
        load_codebook(name)
