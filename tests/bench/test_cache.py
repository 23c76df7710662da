"""Cache files, which are whole or missing."""

import numpy as np
import pytest

from homing.bench.cache import checksum, read_arrays, read_json, write_arrays, write_json


def test_values_are_read_as_they_were_written(tmp_path):
    write_json(tmp_path / "value.json", {"a": [1, None, "é"]})
    assert read_json(tmp_path / "value.json") == {"a": [1, None, "é"]}
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    write_arrays(tmp_path / "rows.safetensors", {"rows": rows.T})
    assert (read_arrays(tmp_path / "rows.safetensors")["rows"] == rows.T).all()
    assert {path.name for path in tmp_path.iterdir()} == {"value.json", "rows.safetensors"}


def test_what_is_missing_or_damaged_is_nothing(tmp_path):
    assert read_json(tmp_path / "none.json") is None
    (tmp_path / "half.json").write_text('{"a": [1, ')
    assert read_json(tmp_path / "half.json") is None


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path):
    write_json(tmp_path / "value.json", 1)
    with pytest.raises(TypeError):
        write_json(tmp_path / "value.json", object())
    assert read_json(tmp_path / "value.json") == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_checksum_depends_on_the_value():
    assert checksum([1, "a"]) == checksum((1, "a"))
    assert checksum([1, "a"]) != checksum([1, "b"])
    assert len(checksum(None)) == 32
