"""Archives in a real Postgres with pgvector: SQL finds what homing finds. Covers target."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import homing
from homing.archive.exports.postgres import is_database
from homing.archive.exports.target import export_entries
from tests.helpers.archive import write
from tests.helpers.vectors import unit_vectors

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pgserver = pytest.importorskip("pgserver", reason="pip install pgserver 'psycopg[binary]'")
    psycopg = pytest.importorskip("psycopg", reason="pip install 'psycopg[binary]'")

#: As docs/guides/your-own-index.md has it.
QUERY = """
WITH probed AS (
    SELECT generation, cell FROM homing_cells ORDER BY centroid <-> %(q)s::vector LIMIT %(probes)s)
SELECT id, max(1 - (vector <=> %(q)s::vector)) AS similarity
FROM homing_entries JOIN probed USING (generation, cell)
GROUP BY id ORDER BY similarity DESC, id LIMIT %(k)s"""


COUNT = "SELECT count(DISTINCT id) FROM homing_entries"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    yield started.get_uri()
    started.cleanup()


@pytest.fixture
def address(server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of the test's own."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE own")
    yield server.replace("/postgres?", "/own?")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE own WITH (FORCE)")


def make(path: Path, network_file: Path, form: str = "IVF8,PQ8x8") -> homing.Archive:
    book = homing.train_codebook(
        unit_vectors(600, 1), form, descriptor=homing.load_descriptor(network_file).fingerprint
    )
    archive = homing.create(path, descriptor=network_file, codebook=book)
    names = [f"{n:05}\t„{n}“\\" for n in range(300)]
    for state, part in (("added", slice(200)), ("released", slice(200, 300))):  # these in two cells
        write(archive._table, book, names[part], unit_vectors(300, 3)[part], state=state)
    return archive


def ask(connection, vector: np.ndarray, *, probes: int = 1, k: int = 10) -> list[tuple[str, float]]:
    values = {"q": str(vector.tolist()), "probes": probes, "k": k}
    return connection.execute(QUERY, values).fetchall()


@pytest.mark.parametrize(
    "form", ["IVF8,PQ8x8", pytest.param("OPQ8,IVF8,PQ8x8", marks=pytest.mark.slow)]
)
def test_sql_finds_what_homing_finds(form, tmp_path, network_file, address) -> None:
    archive = make(tmp_path / "archive", network_file, form)
    assert archive.export(address) == 300
    queries = unit_vectors(20, 9)
    with psycopg.connect(address) as connection:
        for query in queries:
            for probes in (1, 3):
                found = ask(connection, query, probes=probes)
                expected = archive.search_vectors(query[None], k=10, probes=probes, rerank=300)
                assert [row[0] for row in found] == expected.ids[0].tolist()
                similarity = [row[1] for row in found]
                np.testing.assert_allclose(similarity, expected.similarity[0], atol=1e-5)
        (metadata,) = connection.execute(
            "SELECT metadata FROM homing_entries WHERE id LIKE '00003%'"
        ).fetchone()
        assert metadata == dict(next(archive.entries()).metadata or {})
        used = connection.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = 'homing_entries'"
        ).fetchall()
        assert any("(generation, cell)" in definition for (definition,) in used)
        stored = connection.execute("SELECT cell FROM homing_entries ORDER BY ctid").fetchall()
        assert stored == sorted(stored)


def test_a_further_run_writes_what_has_changed(tmp_path, network_file, address) -> None:
    archive = make(tmp_path / "archive", network_file)
    archive.export(address)
    with psycopg.connect(address) as connection:
        before = dict(connection.execute("SELECT id, xmin::text FROM homing_entries").fetchall())
    names = [row.id for row in archive.entries()]
    archive.remove(names[:2])
    write(archive._table, archive.codebook, ["new"], unit_vectors(1, 7))
    write(archive._table, archive.codebook, [names[5]], unit_vectors(1, 8), state="released")
    archive.adopt(
        homing.train_codebook(
            unit_vectors(600, 2), "IVF4,Flat", descriptor=archive.descriptor.fingerprint
        )
    )
    write(archive._table, archive.codebook, ["newer"], unit_vectors(1, 4), generation=2)
    progress: list[homing.Progress] = []
    assert archive.export(address, progress=progress.append) == 300
    assert progress[-1].done == 300
    with psycopg.connect(address) as connection:
        after = dict(connection.execute("SELECT id, xmin::text FROM homing_entries").fetchall())
        cells = connection.execute(
            "SELECT generation, count(*) FROM homing_cells GROUP BY 1 ORDER BY 1"
        ).fetchall()
        assert cells == [(1, 8), (2, 4)]
        assert ask(connection, unit_vectors(1, 4)[0], probes=4, k=1)[0][0] == "newer"
    assert set(after) == {row.id for row in archive.entries()}
    changed = {name for name, version in after.items() if before.get(name) != version}
    assert changed == {"new", "newer", names[5]}


def test_another_archive_is_refused_and_has_a_schema_of_its_own(
    tmp_path, network_file, address, homing_cli
) -> None:
    first, other = (make(tmp_path / name, network_file) for name in ("a", "b"))
    first.export(address)
    with pytest.raises(homing.UsageError, match="another archive: name another schema"):
        other.export(address)
    with psycopg.connect(address) as connection:
        connection.execute("CREATE SCHEMA other")
    own = f"{address}&options=-csearch_path%3Dother,public"
    ran = homing_cli("export", other.path, own, "--json")
    assert ran.objects[0]["rows"] == 300
    assert "postgres:@" not in ran.out
    with psycopg.connect(address) as connection:
        assert connection.execute(COUNT.replace("FROM ", "FROM other.")).fetchone() == (300,)
        assert connection.execute(COUNT).fetchone() == (300,)


def test_a_failure_changes_nothing_and_is_told(tmp_path, network_file, address) -> None:
    archive = make(tmp_path / "archive", network_file)
    archive.export(address)
    archive.remove([next(archive.entries()).id])

    def interrupt(_step: homing.Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive.export(address, progress=interrupt)
    with psycopg.connect(address) as connection:
        assert connection.execute(COUNT).fetchone() == (300,)
        connection.execute("ALTER TABLE homing_entries DROP COLUMN psnr")
    write(archive._table, archive.codebook, ["new"], unit_vectors(1, 7))
    with pytest.raises(homing.UsageError, match=r"Postgres: .*psnr"):
        archive.export(address)
    with pytest.raises(homing.UsageError, match="Postgres: "):
        archive.export("postgresql://localhost:1/none")


def test_targets_are_told_apart() -> None:
    assert is_database("postgresql://localhost/pictures")
    assert not is_database(Path("postgres.faiss"))
    assert export_entries.__doc__
