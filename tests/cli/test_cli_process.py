"""The installed command in processes of its own: signals, pipes, terminals, encodings."""

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest
from command_line import EXECUTABLE, make_pictures, run_apart

ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("HOMING_")}


@pytest.fixture
def many(tmp_path):
    return make_pictures(tmp_path / "many", 60)


def test_from_init_to_search(tmp_path):
    """What a newcomer types, with the descriptor and the codebook that come along."""
    make_pictures(tmp_path / "photos", 2)
    for command in ("init archive", "release archive photos --out out"):
        ran = run_apart(*command.split(), cwd=tmp_path)
        assert ran.status == 0, ran.err
    ran = run_apart("search", "archive", "out/1.jpg", "--json", cwd=tmp_path)
    assert ran.objects[0]["hits"][0]["id"] == "1.jpg"


def test_help_needs_no_heavy_import(tmp_path):
    code = (
        "import sys; from homing.cli import main\n"
        "try: main(['release', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'faiss', 'lance', 'skimage', 'rich'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    done = subprocess.run(
        [EXECUTABLE.parent / "python", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["release", "add", "search"])
def test_an_interruption_ends_with_130_and_the_run_can_go_on(archive, tmp_path, many, command):
    arguments = [command, archive, many, "--json"]
    if command == "release":
        arguments += ["--out", "out"]
    # Small commits, so that something comes before the interruption.
    code = (
        "import sys, homing.archive.releasing as r, homing.archive.adding as a\n"
        "import homing.descriptors, homing.activation\n"
        "r._COMMIT = a._COMMIT = 2\n"
        "from homing.cli import main\nmain(sys.argv[1:])\n"
    )
    process = subprocess.Popen(
        [EXECUTABLE.parent / "python", "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    first = process.stdout.readline()
    assert json.loads(first)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert "Traceback" not in err
    told = len(out.splitlines()) + 1
    assert told < 60
    if command == "search":
        return
    assert not list(tmp_path.glob("out/.homing-*/journal.arrow"))
    ran = run_apart(*arguments, cwd=tmp_path)
    assert ran.status == 0, ran.err
    statuses = [o["status"] for o in ran.objects]
    assert statuses.count("skipped") >= told
    assert len(statuses) == 60
    assert run_apart("verify", archive, cwd=tmp_path).status == 0
    assert not list(tmp_path.glob("out/.homing-*"))


def into_closed_pipe(tmp_path, *arguments, both=False):
    """Run with standard output (and errors) going to a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [EXECUTABLE, *map(str, arguments)],
        stdout=writing,
        stderr=writing if both else subprocess.PIPE,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    os.close(writing)
    return done.returncode, (done.stderr or b"").decode()


def on_a_terminal(tmp_path, *arguments, out_too=True):
    """Run with standard error, or both streams, on a terminal; what was seen and what was piped."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [EXECUTABLE, *map(str, arguments)],
        stdout=theirs if out_too else subprocess.PIPE,
        stderr=theirs,
        cwd=tmp_path,
        env=ENVIRONMENT | {"TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:
        pass  # the other end was closed
    finally:
        os.close(ours)
    piped = b"" if out_too else process.stdout.read()
    assert process.wait(60) == 0
    return seen.decode(), piped.decode()


def test_on_a_terminal_progress_is_shown_and_results_stand_alone(archive, tmp_path, photos):
    seen, _ = on_a_terminal(tmp_path, "release", archive, photos, "--out", "out")
    assert "3/3" in seen
    lines = seen.replace("\r\n", "\n").split("\n")
    for number in range(3):
        (line,) = [one for one in lines if f"photos/{number}.jpg" in one]
        assert line.rpartition("\x1b[2K")[2].startswith("released   photos/")


def test_a_full_disk_is_told(homing_cli, archive, tmp_path, photos):
    homing_cli("add", archive, photos)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [EXECUTABLE, "list", archive], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_file_that_cannot_be_written_ends_the_run_and_not_the_record(archive, tmp_path, photos):
    limited = f"ulimit -f 2; '{EXECUTABLE}' release archive photos --out out --format png"
    done = subprocess.run(
        ["bash", "-c", limited], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []
    assert run_apart("release", archive, photos, "--out", "out", cwd=tmp_path).status == 0
    assert run_apart("verify", archive, cwd=tmp_path).status == 0


def test_tracebacks_are_shown_where_asked(tmp_path):
    quiet = run_apart("list", "nowhere", cwd=tmp_path, env=ENVIRONMENT)
    assert (quiet.status, quiet.err.count("\n")) == (2, 1)
    loud = subprocess.run(
        [EXECUTABLE, "list", "nowhere"],
        cwd=tmp_path,
        env=ENVIRONMENT | {"HOMING_DEBUG": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert loud.returncode != 0
    assert "Traceback" in loud.stderr
