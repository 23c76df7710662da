"""Verification of a service's folder: what is damaged is named."""

import errno

import pytest

from homing.options import Activation
from homing.serve.access.keys import KeyRing
from homing.serve.access.secret import service_secret
from homing.serve.jobs.store import Delivery, JobDraft, JobFolder, JobPicture
from homing.serve.token_folders import SavedSearches
from homing.serve.verification import damaged_files

OUTCOME = {"source": "a.jpg", "status": "failed", "id": "a.jpg", "reason": "no", "seconds": 0.0}


@pytest.fixture
def folder(tmp_path):
    KeyRing(tmp_path).add("A", "read")
    draft = JobDraft(tmp_path / "jobs", Activation())
    draft.add(JobPicture("a.jpg", "a.jpg"), b"x", "JPEG")
    draft.refuse(JobPicture("b.jpg", "b.jpg"), "it is none")
    job = JobFolder(tmp_path / "jobs" / draft.commit().token)
    job.write_attempts({1: 1})
    job.add_outcomes(0, [OUTCOME])
    job.write_delivery(Delivery("waiting", "done"))
    SavedSearches.of(tmp_path, 9).save({"query": "q.jpg", "hits": []}, b"x")
    service_secret(tmp_path)
    return tmp_path


def test_a_sound_folder_has_no_damaged_files(folder, tmp_path):
    assert list(damaged_files(folder)) == []
    assert list(damaged_files(tmp_path / "none")) == []


@pytest.mark.parametrize(
    "name",
    [
        "keys.json",
        "secret.json",
        "job.json",
        "outcomes-000000.json",
        "begun.json",
        "webhook.json",
        "answer.json",
    ],
)
def test_each_damaged_file_is_named(folder, name):
    (file,) = folder.rglob(name)
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 4
    file.write_bytes(data)
    (problem,) = damaged_files(folder)
    assert str(file) in problem


def test_what_another_user_cannot_read_is_named_and_nothing_else_is_left_out(folder, monkeypatch):
    """Root reads everything: the refusal is made."""

    def refuse(self, **_):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.stat", refuse)
    keys, secret, rest = damaged_files(folder)
    assert "keys.json' cannot be read: Permission denied" in keys
    assert "secret.json' cannot be read: Permission denied" in secret
    assert (
        rest == f"{folder / 'jobs'} cannot be read: Permission denied; verify as the service's user"
    )


@pytest.mark.parametrize("name", ["keys.json", "secret.json", "job.json", "answer.json"])
def test_a_folder_in_a_file_s_place_is_named(folder, name):
    (file,) = folder.rglob(name)
    file.unlink()
    file.mkdir()
    (problem,) = damaged_files(folder)
    assert str(file) in problem
