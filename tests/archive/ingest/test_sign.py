"""Releases with Content Credentials: files, rows, manifests found again, and refusals."""

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import c2pa
import numpy as np
import pytest
from PIL import Image

import homing
from homing.archive.query.manifests import ManifestIndex
from homing.archive.table.addresses import removed_rows
from homing.c2pa import ALGORITHM, Binding, active_manifest
from homing.errors import EntryNotFoundError, UsageError
from homing.images import psnr, read_picture
from tests.helpers.archive import child, completed
from tests.helpers.pictures import make_pictures, picture

FAST = {"method": "robust-fast"}
OFFLINE = {"verify": {"remote_manifest_fetch": False}}


def manifest_of(file: Path) -> dict:
    """Return the active manifest of a file, after c2pa has found it valid."""
    with c2pa.Reader(str(file), context=c2pa.Context.from_dict(OFFLINE)) as reader:
        found = json.loads(reader.json())
    assert found["validation_state"] == "Valid"
    return found["manifests"][found["active_manifest"]]


@pytest.fixture
def released(
    archive: "homing.Archive", tmp_path: Path, credentials: "homing.ContentCredentials"
) -> "homing.Archive":
    """Three pictures released with credentials, one added without."""
    make_pictures(tmp_path / "photos", 3)
    report = archive.release(tmp_path / "photos", out=tmp_path / "out", c2pa=credentials, **FAST)
    assert [outcome.status for outcome in report.outcomes] == ["released"] * 3
    archive.add(make_pictures(tmp_path / "others", 1, first=90))
    return archive


def test_file_row_and_outcome_name_the_same_manifest(
    archive: "homing.Archive", tmp_path: Path, credentials: "homing.ContentCredentials"
) -> None:
    photos = make_pictures(tmp_path / "photos", 2)
    picture(5).save(photos / "fifth.png")
    picture(6).save(photos / "sixth.webp", lossless=True)
    picture(7).save(photos / "seventh.tif")
    report = archive.release(photos, out=tmp_path / "out", c2pa=credentials, psnr=42, **FAST)
    assert len(report.outcomes) == 5
    for outcome in report.outcomes:
        assert outcome.file is not None
        assert outcome.id is not None
        file, row = Path(outcome.file), archive.entry(outcome.id)
        manifest = manifest_of(file)
        assert row.metadata == {
            "c2pa_manifest": manifest["label"],
            "c2pa_endpoint": "https://example.org/v1",
        }
        assert outcome.c2pa_manifest == outcome.as_dict()["c2pa_manifest"] == manifest["label"]
        assert row.file_sha256 == hashlib.sha256(file.read_bytes()).digest()
        before, after = (read_picture(path) for path in (photos / outcome.id, file))
        assert (
            42 <= psnr(before.pixels, after.pixels, peak=255) == pytest.approx(row.psnr, abs=1e-3)
        )
        (bound,) = [a["data"] for a in manifest["assertions"] if a["label"] == "c2pa.soft-binding"]
        binding = Binding.from_text(bound["blocks"][0]["value"])
        assert bound["alg"] == ALGORITHM
        assert np.array_equal(binding.vector, row.vector)
        assert binding.is_of(archive.descriptor.fingerprint)
        store = archive.manifest_store(manifest["label"])
        assert active_manifest(store) == manifest["label"]
    assert archive.verify().clean


def test_running_again_changes_nothing(released: "homing.Archive", tmp_path: Path, credentials):
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    report = released.release(tmp_path / "photos", out=tmp_path / "out", c2pa=credentials, **FAST)
    assert {outcome.status for outcome in report.outcomes} == {"skipped"}
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_file_lost_is_signed_anew_and_the_old_manifest_gone(
    released: "homing.Archive", tmp_path: Path, credentials: "homing.ContentCredentials"
) -> None:
    old = released.entry("001.jpg").metadata["c2pa_manifest"]
    released.manifest_store(old)
    (tmp_path / "out" / "001.jpg").unlink()
    with pytest.raises(EntryNotFoundError, match="no such file"):
        released.manifest_store(old)
    report = released.release(tmp_path / "photos", out=tmp_path / "out", c2pa=credentials, **FAST)
    new = report.outcomes[1].c2pa_manifest
    assert new is not None
    assert new != old
    assert active_manifest(released.manifest_store(new)) == new
    with pytest.raises(EntryNotFoundError, match="no entry has it"):
        released.manifest_store(old)


def test_a_stripped_copy_leads_back_to_its_manifest(
    released: "homing.Archive", tmp_path: Path
) -> None:
    copy = io.BytesIO()
    read = read_picture(tmp_path / "out" / "002.jpg")
    Image.fromarray(read.pixels).crop((4, 3, 94, 70)).save(copy, "JPEG", quality=70)
    hit = released.search(copy.getvalue(), k=1)[0]
    assert hit.id == "002.jpg"
    assert hit.metadata == manifest_meta(released, "002.jpg")
    store = released.manifest_store(hit.metadata["c2pa_manifest"])
    context = c2pa.Context.from_dict(OFFLINE)
    with c2pa.Reader("application/c2pa", io.BytesIO(store), context=context) as reader:
        assert reader.get_active_manifest()["label"] == hit.metadata["c2pa_manifest"]


def manifest_meta(archive: "homing.Archive", name: str) -> dict:
    return dict(archive.entry(name).metadata or {})


def test_only_the_recorded_file_answers_for_a_manifest(
    released: "homing.Archive", tmp_path: Path
) -> None:
    manifests = [manifest_meta(released, f"00{n}.jpg")["c2pa_manifest"] for n in range(3)]
    files = [tmp_path / "out" / f"00{n}.jpg" for n in range(3)]
    with files[0].open("ab") as file:
        file.write(b"\0")
    with pytest.raises(EntryNotFoundError, match="SHA-256 differs"):
        released.manifest_store(manifests[0])
    files[2].replace(files[1])
    with pytest.raises(EntryNotFoundError, match="SHA-256 differs"):
        released.manifest_store(manifests[1])
    with pytest.raises(EntryNotFoundError, match="no such file"):
        released.manifest_store(manifests[2])
    for unknown in ("", "urn:c2pa:0", "c2pa_manifest", "'"):
        with pytest.raises(EntryNotFoundError, match="no entry has it"):
            released.manifest_store(unknown)


def test_manifests_stored_elsewhere_are_entries_metadata(
    archive: "homing.Archive", tmp_path: Path, credentials: "homing.ContentCredentials"
) -> None:
    """A publisher with a manifest store writes the manifests' ids into the list of pictures."""
    photos = make_pictures(tmp_path / "photos", 2)
    listed = tmp_path / "list.csv"
    listed.write_text("path,c2pa_manifest\n000.jpg,urn:c2pa:elsewhere\n001.jpg,\n")
    added = archive.add(photos, manifest=listed)
    assert len(added.failures) == 0
    with pytest.raises(EntryNotFoundError, match="has no released file"):
        archive.manifest_store("urn:c2pa:elsewhere")
    report = archive.release(
        photos, manifest=listed, out=tmp_path / "out", c2pa=credentials, **FAST
    )
    first, second = report.outcomes
    assert first.status == "failed"
    assert "c2pa_manifest" in str(first.reason)
    assert second.status == "released"
    assert not (tmp_path / "out" / "000.jpg").exists()
    # Without credentials the release records what the list says; the file has no manifest.
    archive.release(photos, manifest=listed, out=tmp_path / "out", **FAST)
    with pytest.raises(EntryNotFoundError, match="does not carry the manifest recorded"):
        archive.manifest_store("urn:c2pa:elsewhere")


def test_the_index_reads_only_what_is_new(
    released: "homing.Archive",
    tmp_path: Path,
    credentials: "homing.ContentCredentials",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manifests = {row.id: (row.metadata or {}).get("c2pa_manifest") for row in released.entries()}
    scanned: list[list[int]] = []
    read = ManifestIndex._read
    monkeypatch.setattr(
        ManifestIndex, "_read", lambda self, f: (scanned.append(list(f)), read(self, f))[1]
    )
    for name in ("000.jpg", "001.jpg", "002.jpg", "000.jpg"):
        released.manifest_store(manifests[name])
    assert scanned == [[*removed_rows(released._table)]]  # all of it, once
    old = set(removed_rows(released._table))
    photos = make_pictures(tmp_path / "more", 1, first=50)
    (new,) = released.release(photos, out=tmp_path / "out", c2pa=credentials, **FAST).outcomes
    released.manifest_store(str(new.c2pa_manifest))
    assert scanned[1:] == [[*set(removed_rows(released._table)) - old]]
    # Rows that others remove are gone, and rows that they compact are still found.
    other = homing.open(released.path)
    other.remove(["001.jpg"])
    with pytest.raises(EntryNotFoundError, match="no entry has it"):
        released.manifest_store(manifests["001.jpg"])
    released.manifest_store(manifests["002.jpg"])
    other.compact()
    for name in ("000.jpg", "002.jpg"):
        assert active_manifest(released.manifest_store(manifests[name])) == manifests[name]


def test_nothing_is_released_where_nothing_can_be_signed(
    archive: "homing.Archive", tmp_path: Path, credentials: "homing.ContentCredentials"
) -> None:
    photos = make_pictures(tmp_path / "photos", 1)
    wrong = homing.ContentCredentials(credentials.chain, credentials.chain)
    with pytest.raises(UsageError, match="nothing can be signed"):
        archive.release(photos, out=tmp_path / "out", c2pa=wrong)
    assert not (tmp_path / "out").exists()
    assert len(archive) == 0


def test_the_command_line_signs(
    archive: "homing.Archive",
    homing_cli: Callable[..., "object"],
    tmp_path: Path,
    credentials: "homing.ContentCredentials",
) -> None:
    photos = make_pictures(tmp_path / "photos", 1)
    common = ["release", archive.path, photos, "--out", tmp_path / "out", "--method", "robust-fast"]
    wrong = homing_cli(*common, "--c2pa-endpoint", "https://example.org/v1")
    assert wrong.status == 2
    assert "--c2pa CHAIN KEY" in wrong.err
    ran = homing_cli(
        *common, "--json", "--c2pa", credentials.chain, credentials.key,
        "--c2pa-endpoint", "https://example.org/v1",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    outcome = json.loads(ran.out)
    assert outcome["c2pa_manifest"] == manifest_of(tmp_path / "out" / "000.jpg")["label"]
    assert manifest_meta(archive, "000.jpg") == {
        "c2pa_manifest": outcome["c2pa_manifest"],
        "c2pa_endpoint": "https://example.org/v1",
    }


KILLED = """
import os, signal
from homing.archive.table import commit as committing
from homing.archive.ingest import release as releasing
from homing.archive.ingest import staging
calls = []
def killed_at(module, name, number):
    original = getattr(module, name)
    def wrapped(*args, **kwargs):
        calls.append(name)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)
    setattr(module, name, wrapped)
killed_at(*{where})
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "where",
    [
        '(staging, "write_durably", 2)',
        '(staging, "_write_journal", 1)',
        '(staging, "publish", 2)',
        '(staging, "sync_folder", 2)',
        '(releasing, "record_rows", 1)',
    ],
)
def test_a_run_that_is_killed_is_brought_to_its_end(
    archive: "homing.Archive", tmp_path: Path, credentials: "homing.ContentCredentials", where: str
) -> None:
    make_pictures(tmp_path / "photos", 3)
    command = [
        "release", archive.path, tmp_path / "photos", "--out", tmp_path / "out",
        "--method", "robust-fast", "--c2pa", credentials.chain, credentials.key,
    ]  # fmt: skip
    status, _, _ = completed(child(command, before=KILLED.replace("{where}", where)))
    assert status == -9
    status, _, err = completed(child(command))
    assert status == 0, err
    rows = list(archive.entries())
    assert sorted(row.id for row in rows) == ["000.jpg", "001.jpg", "002.jpg"]
    assert archive.verify().clean
    for row in rows:
        assert manifest_of(tmp_path / "out" / row.id)["label"] == row.metadata["c2pa_manifest"]
        archive.manifest_store(row.metadata["c2pa_manifest"])
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [row.id for row in rows]
