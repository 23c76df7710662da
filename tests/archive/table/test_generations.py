"""Generations of codebooks in one table: numbers of cells, code columns, imported rows."""

import numpy as np
import pyarrow as pa
import pytest

from homing.archive.table.generations import KEY, StoredGeneration, StoredGenerations
from homing.archive.table.rows import (
    codes_of_generation,
    renumber,
    rows_to_table,
    schema_with_generations,
)
from tests.helpers.archive import row


def stored(*sizes: tuple[int, int]) -> StoredGenerations:
    """Draw generations with their numbers of cells and bytes per code."""
    return StoredGenerations(
        tuple(
            StoredGeneration(fingerprint=f"f{cells}", codebook="c", cells=cells, code_size=size)
            for cells, size in sizes
        )
    )


THREE = stored((8, 8), (9, 4), (5, 8))


def test_what_is_written_is_read():
    assert StoredGenerations.from_config({KEY: THREE.to_json()}, 8) == THREE
    single = StoredGenerations.from_config({}, 16)
    assert len(single) == 1
    assert single.code_columns == ("code",)
    for text in ("{", '[{"later": 1}]', "null"):
        with pytest.raises(ValueError, match="codebook generations cannot be read"):
            StoredGenerations.from_config({KEY: text}, 8)


def test_the_generation_follows_from_the_cell():
    assert [THREE.split_cell(cell) for cell in (0, 7, 8, 16, 17, 21)] == [
        (1, 0),
        (1, 7),
        (2, 0),
        (2, 8),
        (3, 0),
        (3, 4),
    ]
    assert THREE.numbers_of([0, 8, 17]).tolist() == [1, 2, 3]
    assert THREE.code_columns == ("code", "code_4")
    conditions = [THREE.condition(number) for number in THREE.numbers]
    assert conditions == ["cell < 8", "cell >= 8 AND cell < 17", "cell >= 17"]
    assert stored((8, 8)).condition(1) is None


def test_rows_of_another_table_are_renumbered():
    """Its first generation is this one's third, and its second this one's first."""
    theirs = stored((5, 8), (8, 8))
    rows = [row("a", 1, cell=2, generation=1), row("b", 2, cell=7, generation=2)]
    table = rows_to_table(rows, schema_with_generations(theirs, 192), theirs)
    schema = schema_with_generations(THREE, 192)
    assert schema.field("code_4").type == pa.binary(4)
    ours = renumber(table, theirs, THREE, {1: 3, 2: 1}, schema)
    assert ours.column("cell").to_pylist() == [17 + 2, 7]
    for number, place in ((3, 0), (1, 1)):
        positions, cells, codes = codes_of_generation(ours, THREE, number)
        assert positions.tolist() == [place]
        assert cells.tolist() == [rows[place].cell]
        assert codes.tobytes() == rows[place].code
    assert ours.column("code_4").null_count == 2
    assert np.array_equal(
        ours.column("vector").combine_chunks().flatten(),
        table.column("vector").combine_chunks().flatten(),
    )
