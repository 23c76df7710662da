"""Failures, as a client sees them."""

import errno
import io
from types import SimpleNamespace

import pytest
from fastapi import FastAPI

from homing.errors import ArchiveError, CodebookError, EntryNotFoundError, UsageError
from homing.serve.app import add_failure_handlers
from homing.serve.http.log import Log
from homing.serve.http.places import PrivatePlaces
from tests.helpers.service import Direct


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ArchiveError("/secret/archive is damaged"), 503),
        (CodebookError("/secret/archive/codebook.safetensors is gone"), 503),
        (OSError(errno.ENOSPC, "No space left on device", "/secret/kept/picture"), 503),
        (BlockingIOError("too busy"), 503),
        (EntryNotFoundError("there is none"), 404),
        (UsageError("k is 0"), 422),
    ],
)
def test_a_failure_has_its_status_and_tells_no_place(error, status):
    app, log = FastAPI(), io.StringIO()
    add_failure_handlers(app, PrivatePlaces(()))
    app.state.service = SimpleNamespace(log=Log(log))

    @app.get("/failing")
    async def fail() -> None:
        raise error

    answer = Direct(app).get("/failing")
    assert answer.status_code == status
    assert "/secret" not in answer.text
    assert ("/secret" in log.getvalue()) == ("/secret" in str(error))


def test_an_address_of_nothing_is_answered_with_where_the_api_is():
    app = FastAPI()
    add_failure_handlers(app, PrivatePlaces(()))

    @app.get("/v1/statistics")
    async def statistics() -> None:
        return None

    client = Direct(app)
    missing, other = client.get("/search"), client.post("/v1/statistics")
    assert (missing.status_code, other.status_code) == (404, 405)
    assert "under /v1, and /reference lists it" in missing.json()["error"]
    assert "another method" in other.json()["error"]
