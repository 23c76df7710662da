"""Codebooks as files: round trip, golden file, and what is refused."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homing.codebooks import Codebook, load_codebook, save_codebook
from homing.codebooks.storage import to_bytes
from homing.errors import CodebookError

Trained = Callable[[str], Codebook]
GOLDEN = Path(__file__).parent / "golden" / "version-1.safetensors"


def test_a_saved_codebook_comes_back(
    codebook: Codebook, vectors: np.ndarray, tmp_path: Path
) -> None:
    path = codebook.save(tmp_path / "codebook.safetensors")
    loaded = load_codebook(path)
    assert loaded == load_codebook(str(path)) == codebook
    assert loaded.descriptor_name == "tiny"
    cells, codes = codebook.encode_with_cells(vectors)
    np.testing.assert_array_equal(loaded.cells(vectors), cells)
    np.testing.assert_array_equal(loaded.encode(vectors), codes)
    np.testing.assert_array_equal(loaded.decode(cells, codes), codebook.decode(cells, codes))
    ours = loaded.index(cells, codes).search(vectors[:30], 5)
    theirs = codebook.index(cells, codes).search(vectors[:30], 5)
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])
    assert [file.name for file in tmp_path.iterdir()] == ["codebook.safetensors"]


def test_format_version_1_stays_readable() -> None:
    codebook = load_codebook(GOLDEN)
    assert codebook.fingerprint == (
        "2518300bc0f61793e86eb2805e0607f3ef861fb361bc2ab943aeb7cd547c7d2a"
    )
    assert str(codebook.factory) == "OPQ2,IVF4,PQ2x8"
    assert (codebook.dimension, codebook.descriptor_name) == (8, "golden")
    vectors = np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 8)
    cells, codes = codebook.encode_with_cells(vectors)
    assert cells.tolist() == [0, 3, 2]
    assert codes.tolist() == [[182, 233], [225, 250], [0, 63]]
    assert to_bytes(codebook) == GOLDEN.read_bytes()


def test_saving_twice_changes_nothing_and_another_is_not_overwritten(
    trained: Trained, tmp_path: Path
) -> None:
    path = tmp_path / "codebook.safetensors"
    first, second = trained("IVF16,Flat"), trained("PQ4x8")
    first.save(path)
    before = path.stat()
    save_codebook(first, path)
    assert path.stat().st_ino == before.st_ino
    with pytest.raises(CodebookError, match="holds another codebook"):
        second.save(path)
    assert load_codebook(path) == first
    second.save(path, overwrite=True)
    assert load_codebook(path) == second
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    with pytest.raises(CodebookError, match="is another file"):
        first.save(other)
    assert other.read_text() == "mine"


def test_a_folder_that_is_not_there_is_named(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(CodebookError, match="cannot be written"):
        trained("PQ4x8").save(tmp_path / "missing" / "codebook.safetensors")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_altered_byte_goes_unseen(trained: Trained, tmp_path: Path, data: st.DataObject) -> None:
    codebook = trained("IVF16,Flat")
    original = bytearray(to_bytes(codebook))
    place = data.draw(st.integers(0, len(original) - 1) | st.integers(0, 700))
    original[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "altered.safetensors"
    path.write_bytes(original)
    try:
        loaded = load_codebook(path)
    except CodebookError:
        return
    # Only these may differ, which affect no result: the descriptor's name, blanks in the JSON.
    assert loaded == codebook


@pytest.mark.parametrize("length", [0, 1, 7, 8, 50, 400, -1])
def test_truncated_files_are_refused(trained: Trained, tmp_path: Path, length: int) -> None:
    path = tmp_path / "short.safetensors"
    path.write_bytes(to_bytes(trained("IVF16,PQ4x8"))[:length])
    with pytest.raises(CodebookError, match=r"short\.safetensors"):
        load_codebook(path)


def _file(path: Path, codebook: Codebook, **changes: str | None) -> Path:
    """Write the codebook's file with other metadata; None leaves an item out."""
    metadata: dict[str, str | None] = {
        "format": "homing-codebook",
        "version": "1",
        "factory": str(codebook.factory),
        "dimension": "32",
        "metric": "L2",
        "fingerprint": codebook.fingerprint,
        "descriptor": codebook.descriptor,
        **changes,
    }
    present = {name: value for name, value in metadata.items() if value is not None}
    path.write_bytes(safetensors.numpy.save(dict(codebook.arrays), present))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": None}, "not a codebook of homing"),
        ({"format": "other"}, "not a codebook of homing"),
        ({"version": "3"}, "format 3; this homing reads formats 1 and 2"),
        ({"version": "2"}, "needs the array .index."),
        ({"factory": "HNSW32"}, "Accepted forms"),
        ({"factory": "IVF8,PQ4x8"}, "is damaged"),
        ({"factory": None}, "Accepted forms"),
        ({"dimension": "x"}, "dimension"),
        ({"dimension": None}, "dimension"),
        ({"dimension": "64"}, "is damaged"),
        ({"dimension": "33"}, "divisor"),
        ({"dimension": "9" * 5000}, "dimension"),
        ({"metric": "IP"}, "metric"),
        ({"fingerprint": "00" * 32}, "has been altered"),
        ({"fingerprint": None}, "has been altered"),
        ({"descriptor": "cd" * 32}, "has been altered"),
        ({"descriptor": None}, "has been altered"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    trained: Trained, tmp_path: Path, changes: dict[str, str | None], message: str
) -> None:
    codebook = trained("IVF16,PQ4x8")
    assert load_codebook(_file(tmp_path / "right.safetensors", codebook)) == codebook
    with pytest.raises(CodebookError, match=message):
        load_codebook(_file(tmp_path / "wrong.safetensors", codebook, **changes))


def test_arrays_that_do_not_fit_are_refused(trained: Trained, tmp_path: Path) -> None:
    codebook = trained("IVF16,PQ4x8")
    metadata = {
        "format": "homing-codebook",
        "version": "1",
        "factory": "IVF16,PQ4x8",
        "dimension": "32",
        "metric": "L2",
        "fingerprint": codebook.fingerprint,
    }
    arrays = dict(codebook.arrays)
    coarse = arrays["coarse"]
    for changed in (
        arrays | {"coarse": coarse.astype(np.float64)},
        arrays | {"coarse": coarse[:8]},
        arrays | {"more": coarse},
        {"coarse": coarse},
    ):
        path = tmp_path / "wrong.safetensors"
        path.write_bytes(safetensors.numpy.save(changed, metadata))
        with pytest.raises(CodebookError, match="is damaged"):
            load_codebook(path)


def test_files_that_are_no_codebooks_are_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # must be refused: reading it would never return
    text = tmp_path / "text.safetensors"
    text.write_text("a codebook, honestly\n" * 100)
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere")
    for path in (pipe, text, dangling, tmp_path, tmp_path / "missing", tmp_path / ("x" * 5000)):
        with pytest.raises(CodebookError, match="codebook"):
            load_codebook(path)


def test_a_file_of_absurd_size_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.truncate((2 << 30) + 1)  # sparse
    with pytest.raises(CodebookError, match="are not read"):
        load_codebook(path)


def test_an_unreadable_file_is_not_a_missing_one(trained: Trained) -> None:
    """safetensors says "no such file" for all that it cannot open."""
    with tempfile.TemporaryDirectory() as folder:  # which others may enter, unlike tmp_path
        Path(folder).chmod(0o755)
        file = save_codebook(trained("PQ4x8"), Path(folder) / "mine.safetensors")
        file.chmod(0)
        if os.geteuid() == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(CodebookError, match=r"cannot be read: .*Permission"):
                load_codebook(file)
        finally:
            if os.getuid() == 0:
                os.seteuid(0)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(CodebookError, match="is a pipe, not a file"):
        load_codebook(tmp_path / "pipe.safetensors")
