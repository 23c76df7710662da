"""Undocumented behaviour of Lance that homing relies on: a failure means that it has changed."""

import lance
import numpy as np
import pyarrow as pa
import pytest
from lance.optimize import Compaction

from homing.archive.table import lance_internals as internals
from homing.archive.table.index.form import IndexForm
from homing.archive.table.index.segments import add_index_column, build_segment, commit_segment
from homing.archive.table.table import Table
from tests.helpers.archive import write
from tests.helpers.vectors import unit_vectors


@pytest.fixture
def table(tmp_path, codebook) -> Table:
    """Two fragments of 40 rows; some of the first are removed."""
    table = Table.create(tmp_path / "table", dimension=codebook.dimension, code_size=8)
    for part in range(2):
        names = [f"{part}-{n:02}" for n in range(40)]
        write(table, codebook, names, unit_vectors(40, part))
    table.delete(["0-00", "0-07"])
    return table


@pytest.fixture
def segment(table, codebook, tmp_path) -> str:
    """Name of a segment over all rows."""
    add_index_column(table, IndexForm(codebook))
    (tmp_path / "work").mkdir()
    built = build_segment(table, IndexForm(codebook), [0, 1], tmp_path / "work")
    assert commit_segment(table, IndexForm(codebook), [0, 1], built)
    return str(built.uuid)


def test_errors_are_of_pythons_own_types(tmp_path, table):
    assert all(not kind.__module__.startswith("lance") for kind in internals.LANCE_ERRORS)
    with pytest.raises(internals.LANCE_ERRORS):
        lance.dataset(str(tmp_path / "nothing"))
    for file in (table.path / "data").iterdir():
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(internals.LANCE_ERRORS) as raised:
        lance.dataset(str(table.path)).to_table()
    # If errors name no position in Lance's source, the expression that cuts it is superfluous.
    assert ".rs:" in str(raised.value)
    assert ".rs:" not in internals.reason_of(raised.value)


def test_a_stores_answer_is_cut_to_its_code_and_message():
    text = "a: <Error>\n<Code>NoSuchBucket</Code>\n<Message>It is not there</Message></Error>, b"
    assert internals.reason_of(OSError(text)) == "NoSuchBucket: It is not there"
    assert internals.reason_of(OSError()) == "OSError"


def test_the_primary_key_lets_concurrent_merges_conflict(table):
    """Two merges of the same new ids from one version insert each row once."""
    assert table.dataset.schema.field("id").metadata == {
        key.encode(): value.encode() for key, value in internals.PRIMARY_KEY.items()
    }
    other = Table.open(table.path)
    rows = table.dataset.to_table(columns=table.schema.names).slice(0, 5)
    new = rows.set_column(0, rows.schema.field("id"), pa.array([f"new-{n}" for n in range(5)]))
    for one in (table, other):  # each stays at the version that it has read
        merge = one.dataset.merge_insert("id").when_not_matched_insert_all()
        merge.conflict_retries(30).execute(new)
    ids = Table.open(table.path).dataset.to_table(columns=["id"])["id"].to_pylist()
    assert sorted(ids) == sorted(set(ids))


def test_a_commit_that_another_overtook_is_preempted(table, codebook):
    tasks = Compaction.plan(table.dataset, {"target_rows_per_fragment": 100}).tasks
    done = [task.execute(table.dataset) for task in tasks]
    other = Table.open(table.path)
    other.delete(["1-00"])
    with pytest.raises(OSError, match="preempted"):
        Compaction.commit(table.dataset, done)


def test_a_row_address_is_fragment_and_row(table):
    batches = list(table.batches(["id"], addresses=True))
    addresses = np.concatenate([batch.column("_rowaddr").to_numpy() for batch in batches])
    ids = [name for batch in batches for name in batch.column("id").to_pylist()]
    fragments = (addresses >> internals.FRAGMENT_SHIFT).tolist()
    rows = (addresses & np.uint64((1 << internals.FRAGMENT_SHIFT) - 1)).tolist()
    assert [(int(name[0]), int(name[2:])) for name in ids] == list(
        zip(fragments, rows, strict=True)
    )


@pytest.mark.parametrize("compacted", [False, True])
def test_vectors_are_plain_bytes_in_the_data_files(table, codebook, compacted):
    if compacted:
        table.compact()
    pages = internals.plain_pages(table.dataset, table.path, codebook.dimension)
    assert sum(page.rows for page in pages) == (78 if compacted else 80)
    shift = internals.FRAGMENT_SHIFT
    stored = {}
    for page in pages:
        data = page.path.read_bytes()[page.position :]
        vectors = np.frombuffer(data, np.float16, page.rows * codebook.dimension)
        for row, vector in enumerate(vectors.reshape(page.rows, -1)):
            stored[page.first + row] = vector
    for batch in table.batches(["vector"], addresses=True):
        flat = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
        for address, vector in zip(
            batch.column("_rowaddr").to_pylist(), flat.reshape(len(batch), -1), strict=True
        ):
            assert np.array_equal(stored[address], vector), (address >> shift, address)


def test_a_column_with_nulls_has_no_plain_pages(tmp_path):
    """The name of the encoding distinguishes such pages from plain ones."""
    values = pa.array([None, *np.zeros((20, 192), np.float16)], pa.list_(pa.float16(), 192))
    table = pa.table({"vector": values})
    dataset = lance.write_dataset(table, str(tmp_path / "nulls"))
    (file,) = (f for part in dataset.get_fragments() for f in part.data_files())
    path = tmp_path / "nulls" / "data" / file.path
    assert internals._pages_of_file(path, 0, 192, 0) is None


def test_the_rows_of_an_index_file_can_be_read(table, segment):
    assert internals.count_indexed_rows(table.dataset, segment) == 78
    assert internals.count_indexed_rows(table.dataset, "no-such-segment") == -1


def test_lost_index_files_differ_from_other_errors(table, codebook, segment):
    for file in (table.path / "_indices" / segment).iterdir():
        file.unlink()
    with pytest.raises(ValueError, match="Not found") as lost:
        lance.dataset(str(table.path)).get_ivf_model(IndexForm(codebook).name)
    assert internals.is_missing_file(lost.value)
    assert internals.count_indexed_rows(table.dataset, segment) == -1
    assert not internals.is_missing_file(ValueError("damaged"))


def test_an_index_is_built_from_shuffle_buffers_alone(table, codebook, segment):
    """The column has no values, and the centroids are the codebook's: nothing was trained."""
    model = table.dataset.get_ivf_model(IndexForm(codebook).name).centroids
    stored = model.flatten().to_numpy(zero_copy_only=False)
    assert np.array_equal(stored, codebook.arrays["coarse"].ravel())
    column = table.dataset.to_table(columns=[table.indexed_column])
    assert column[table.indexed_column].null_count == 78
