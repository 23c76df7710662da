"""Archives in az:// and gs://, and errors where credentials are missing.

``az://`` is tested against Azure's own emulator, Azurite, where it is installed: ``npm install -g
azurite``, or ``HOMING_AZURITE`` names its ``azurite-blob``. For ``gs://`` see
:mod:`tests.helpers.google_store`.
"""

import base64
import contextlib
import datetime
import hashlib
import hmac
import json
import logging
import os
import shutil
import socket
import subprocess
import time
import urllib.request
import warnings

import numpy as np
import pytest

import homing
from tests.helpers.archive import child, completed, write
from tests.helpers.google_store import google_server
from tests.helpers.object_store import stored_objects
from tests.helpers.pictures import make_pictures
from tests.helpers.vectors import unit_vectors

ACCOUNT = "devstoreaccount1"  # Azurite's public one
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@pytest.fixture(scope="module")
def azure(tmp_path_factory):
    """The environment of a user of Azure's store."""
    program = os.environ.get("HOMING_AZURITE") or shutil.which("azurite-blob")
    if program is None:
        pytest.skip("no Azurite: npm install -g azurite")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("azurite")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(program, "--blobHost", "127.0.0.1", "--blobPort", str(port)),
                *("--location", folder, "--skipApiVersionCheck", "--disableTelemetry", "--silent"),
            ],
            stdout=log,
            stderr=log,
        )
    end = time.monotonic() + 60
    while True:
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < end
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        time.sleep(0.1)
    make_container(f"http://127.0.0.1:{port}", "pictures-az")
    yield {
        "AZURE_STORAGE_USE_EMULATOR": "true",
        "AZURITE_BLOB_STORAGE_URL": f"http://127.0.0.1:{port}",
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": KEY,
    }
    process.terminate()
    process.wait(30)


def make_container(address, name):
    """Make a container, as a user does first; the request is signed with the account's key."""
    date = datetime.datetime.now(datetime.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    kind = "application/octet-stream"
    signed = f"x-ms-date:{date}\nx-ms-version:2021-08-06\n/{ACCOUNT}/{ACCOUNT}/{name}"
    text = "PUT\n\n\n\n\n" + kind + "\n" * 7 + signed + "\nrestype:container"
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    request = urllib.request.Request(
        f"{address}/{ACCOUNT}/{name}?restype=container",
        method="PUT",
        data=b"",
        headers={
            "x-ms-date": date,
            "x-ms-version": "2021-08-06",
            "Content-Type": kind,
            "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}",
        },
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 201


@pytest.fixture(scope="module")
def google():
    """The environment of a user of Google's store, whose key file holds the address."""
    pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with warnings.catch_warnings(), google_server() as (address, requests):
        warnings.simplefilter("ignore")
        request = urllib.request.Request(f"{address}/picturesgs", method="PUT")
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        key = {"gcs_base_url": address, "disable_oauth": True, "private_key": KEY}
        text = json.dumps(key | {"private_key_id": "", "client_email": ""})
        yield {"GOOGLE_SERVICE_ACCOUNT_KEY": text, "GOOGLE_ALLOW_HTTP": "true"}
    # A version's manifest is written only where there is none. No other request used one of
    # Google's headers.
    assert {each for each in requests if "X_GOOG" in each} == {
        "PUT HTTP_X_GOOG_IF_GENERATION_MATCH"
    }


@pytest.fixture(params=["azure", "google"])
def store(request, monkeypatch, tmp_path):
    """A folder for the test, with the environment that its store needs."""
    for name, value in request.getfixturevalue(request.param).items():
        monkeypatch.setenv(name, value)
    bucket = {"azure": "az://pictures-az", "google": "gs://picturesgs"}[request.param]
    return f"{bucket}/{tmp_path.name[-30:].strip('-_.')}/archive"


def test_an_archive_is_made_filled_indexed_and_searched(store, network_file, codebook):
    made = homing.create(store, descriptor=network_file, codebook=codebook)
    with pytest.raises(homing.ArchiveError, match="exists already"):
        homing.create(store, descriptor=network_file, codebook=codebook)
    write(made._table, made.codebook, [f"{n:03}" for n in range(260)], unit_vectors(260, 3))
    assert made.calibrate().entries == 260
    assert made.index().indexed == 260
    write(made._table, made.codebook, ["late"], unit_vectors(1, 8))
    queries = np.concatenate([unit_vectors(20, 4), unit_vectors(1, 8)])
    opened = [homing.open(store, engine=engine) for engine in ("memory", "lance")]
    memory, lance = (each.search_vectors(queries, k=5, probes=8) for each in opened)
    assert np.array_equal(memory.ids, lance.ids)
    assert memory.ids[-1, 0] == "late"
    assert opened[1].search_vectors(queries, k=5, deadline=60).partial is None
    made.remove(["003"])
    made.compact()
    assert homing.open(store).stats()["entries"] == 260
    assert made.verify().clean
    stored = stored_objects(store).values()
    assert len(stored) > 5
    assert not any(KEY.encode() in data for data in stored)


@pytest.mark.slow
def test_several_write_and_index_at_once(store, network_file, codebook, tmp_path):
    homing.create(store, descriptor=network_file, codebook=codebook)
    first = make_pictures(tmp_path / "first", 8)
    second = make_pictures(tmp_path / "second", 8, first=50)
    small = "import homing.archive.ingest.add as adding\nadding._COMMIT = 2\n"
    commands = [["add", store, first], ["add", store, first], ["add", store, second]]
    processes = [child(command, before=small) for command in commands]
    processes += [child(["index", store])]
    for process in processes:
        status, _, err = completed(process)
        assert status == 0, err
    opened = homing.open(store)
    opened.index()
    assert opened.stats()["indexed"] == 16
    assert sorted(row.id for row in opened.entries()) == sorted(
        file.name for folder in (first, second) for file in folder.iterdir()
    )
    assert opened.verify().clean


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("az://bucket/a", "no Azure account name in URI, and no storage account configured"),
        ("gs://bucket/a", "Unable to decode service account"),
    ],
)
def test_missing_credentials_are_reported(place, reason, monkeypatch):
    """In another process, since Lance reads the environment only once."""
    for name in list(os.environ):
        if name.startswith(("AZURE_", "AZURITE_", "GOOGLE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv(
        "GOOGLE_SERVICE_ACCOUNT_KEY", "{}"
    )  # otherwise the client would use the network
    status, _, err = completed(child(["list", place]))
    assert status == 2
    assert err.startswith(f"homing: {place}")
    assert reason in err
    assert ".rs:" not in err
