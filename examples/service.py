"""Start a service, and release and search through its client.

python examples/service.py [PHOTOS]

In earnest the service runs elsewhere (`homing serve archive`), and the client alone is used.
"""

import argparse
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import homing
from homing.client import Client
from homing.demo.material import copy_bundled_pictures
from homing.images import find_pictures

PICTURES, PATIENCE = 3, 120  # seconds until the service answers


def main() -> None:
    """Serve an archive on a free port, use it, and end the service."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("photos", type=Path, nargs="?", help="a folder of pictures")
    options = reader.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="homing-"))
    if options.photos is None:
        options.photos = folder / "photos"
        copy_bundled_pictures(options.photos)
    paths = [found.path for found in find_pictures([options.photos])][:PICTURES]

    homing.create(folder / "archive", expect=1000)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "homing", "serve", "archive", "--no-keys", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        service = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)  # noqa: S603
    try:
        client = Client(f"http://127.0.0.1:{port}")
        wait_for(client)
        for outcome in client.release(paths, prefix="news"):
            print(outcome.status, outcome.id, f"{outcome.psnr or 0:.1f} dB")
        for hit in client.search(paths[0], k=1):
            print(f"{paths[0].name} is in the archive as {hit.id}: {hit.verdict}")
    finally:
        service.terminate()
        service.wait()


def wait_for(client: Client) -> None:
    """Wait until the service answers."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            client.statistics()
        except homing.HomingError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
        else:
            return


if __name__ == "__main__":
    main()
