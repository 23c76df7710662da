"""The installed command in other processes: signals, pipes, terminals, encodings."""

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import homing
from homing.cli.output import emit
from tests.helpers.command_line import EXECUTABLE, run_apart
from tests.helpers.pictures import make_pictures

ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("HOMING_")}


@pytest.fixture
def many(tmp_path):
    """So many pictures that a command is far from its end when it has told of the first."""
    return make_pictures(tmp_path / "many", 60, digits=1)


@pytest.fixture
def some(tmp_path):
    """As many as that takes of a release, which takes longer for each."""
    return make_pictures(tmp_path / "some", 30, digits=1)


def test_from_init_to_search(homing_cli, tmp_path):
    """The first commands of a newcomer, with the bundled descriptor and codebook."""
    make_pictures(tmp_path / "photos", 2, digits=1)
    for command in ("init archive", "release archive photos --out out"):
        ran = run_apart(*command.split(), cwd=tmp_path)
        assert ran.status == 0, ran.err
    ran = homing_cli("search", tmp_path / "archive", tmp_path / "out" / "1.jpg", "--json")
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


@pytest.mark.parametrize(
    ("command", "sent", "status", "word"),
    [
        ("release", signal.SIGINT, 130, "interrupted"),
        pytest.param("add", signal.SIGINT, 130, "interrupted", marks=pytest.mark.slow),
        ("search", signal.SIGINT, 130, "interrupted"),
        ("release", signal.SIGTERM, 143, "terminated"),
        pytest.param("release", signal.SIGHUP, 129, "terminated", marks=pytest.mark.slow),
    ],
)
def test_stopped_by_a_signal_the_run_can_go_on(
    homing_cli, archive, tmp_path, many, some, command, sent, status, word
):
    given = some if command == "release" else many
    if command == "add":  # dozens are in hand at once
        given = make_pictures(tmp_path / "more", 200, digits=1)
    arguments = [command, archive, given, "--json"]
    if command == "release":
        arguments += ["--out", "out"]
    # Small commits, so that some lines come before the interruption.
    code = (
        "import sys, homing.archive.ingest.release as r, homing.archive.ingest.add as a\n"
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
    process.send_signal(sent)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    assert err.splitlines()[-1] == f"homing: {word}; run the same command again to go on"
    if sent is signal.SIGINT and command != "search":  # what is in hand is finished
        assert re.match(r"finishing \d+ pictures? in hand; Ctrl-C again drops them\n", err)
        done = "released" if command == "release" else "added"
        said = re.search(rf"^(\d+) {done}$", err, re.MULTILINE)
        assert len(out.splitlines()) < int(said[1]) < len(list(given.iterdir()))
    else:
        assert len(err.strip().splitlines()) == 1
    reported = len(out.splitlines()) + 1
    count = len(list(given.iterdir()))
    assert reported < count
    if command == "search":
        return
    assert not list(tmp_path.glob("out/.homing-*/journal.arrow"))
    ran = homing_cli(*arguments)
    assert ran.status == 0, ran.err
    statuses = [o["status"] for o in ran.objects]
    assert statuses.count("skipped") >= reported
    assert len(statuses) == count
    assert homing_cli("verify", archive).status == 0
    assert not list(tmp_path.glob("out/.homing-*"))


def test_ctrl_c_that_also_ends_the_reader_of_the_output_is_an_interruption(archive, tmp_path, some):
    process = subprocess.Popen(
        [EXECUTABLE, "release", archive, some, "--out", "out", "--method", "paper"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=tmp_path,
    )
    while not (tmp_path / "out").is_dir():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.01)
    process.stdout.close()  # as that of `| tee log` in the same terminal
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert not list(tmp_path.glob("out/.homing-*"))
    opened = homing.open(archive)
    assert len(opened) < len(list(some.iterdir()))
    assert opened.verify().clean


def test_under_nohup_a_closed_terminal_ends_nothing(archive, tmp_path, many):
    arguments = ["add", archive, many, "--json"]
    process = subprocess.Popen(
        ["nohup", EXECUTABLE, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "60 added" in err


def test_too_little_memory_is_called_so(archive):
    """Under the limit that a shell or a batch system sets."""
    # With more threads a library may crash over the limit before Python learns of it.
    limited = f"ulimit -v 600000; OMP_NUM_THREADS=1 exec {EXECUTABLE} stats {archive}"
    ran = subprocess.run(
        ["bash", "-c", limited],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "too little memory" in ran.stderr
    assert "585 MiB of addresses (ulimit -v)" in ran.stderr
    assert "internal error" not in ran.stderr


@pytest.mark.slow
def test_an_impatient_user_sees_no_traceback(archive, tmp_path, many):
    arguments = ["release", archive, many, "--out", "out"]
    process = subprocess.Popen(
        [EXECUTABLE, *map(str, arguments)], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    while not list(tmp_path.glob("out/.homing-*")):
        time.sleep(0.01)
    for _ in range(200):  # every few hundred microseconds, until it is gone
        process.send_signal(signal.SIGINT)
        time.sleep(0.0005)
        if process.poll() is not None:
            break
    _, err = process.communicate(timeout=60)
    assert process.returncode in {130, -signal.SIGINT}, err
    assert "Traceback" not in err
    assert "internal error" not in err
    assert run_apart(*arguments, cwd=tmp_path).status == 0
    assert run_apart("verify", archive, cwd=tmp_path).status == 0
    assert not list(tmp_path.glob("out/.homing-*"))


def into_closed_pipe(tmp_path, *arguments, both=False):
    """Run with standard output (and errors) going to a pipe without a reader."""
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


@pytest.mark.parametrize("command", ["--help", "--version", "release --help", "codebook -h"])
def test_help_into_a_closed_pipe_ends_quietly(tmp_path, command):
    for both in (False, True):
        assert into_closed_pipe(tmp_path, *command.split(), both=both) == (0, "")


def test_the_package_runs_as_a_module(tmp_path):
    for option in ("--version", "--help"):
        module = subprocess.run(
            [sys.executable, "-m", "homing", option],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        script = subprocess.run(
            [EXECUTABLE, option], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (module.returncode, module.stdout, module.stderr) == (0, script.stdout, "")


def test_results_into_a_closed_pipe(homing_cli, archive, tmp_path, photos):
    status, _ = into_closed_pipe(tmp_path, "release", archive, photos, "--out", "out", both=True)
    assert status == 0
    assert len(list((tmp_path / "out").iterdir())) == 3  # all of its work is done
    for command in (["search", archive, photos], ["list", archive]):
        assert into_closed_pipe(tmp_path, *command) == (0, "")


def test_closed_streams(homing_cli, archive, tmp_path, photos):
    for closed, command in (
        (">&-", "--help"),
        ("2>&-", "codebook --help"),
        (">&-", "add archive photos"),
        ("<&- >&- 2>&-", "release archive photos --out out"),
    ):
        done = subprocess.run(
            ["bash", "-c", f"'{EXECUTABLE}' {command} {closed}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert homing_cli("verify", archive).status == 0


NARROW = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NAMES = ["größe 图.jpg", "smile 😀.jpg", b"caf\xe9.jpg".decode(errors="surrogateescape")]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_json_in_every_encoding(monkeypatch, encoding):
    sink = io.BytesIO()
    stream = io.TextIOWrapper(sink, encoding, errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", stream)
    emit({"names": NAMES[:2]})
    stream.flush()
    assert json.loads(sink.getvalue().decode(encoding)) == {"names": NAMES[:2]}


@pytest.mark.slow
def test_names_that_the_terminal_cannot_show(archive, tmp_path, photos):
    for number, name in enumerate(NAMES):
        (photos / f"{number}.jpg").rename(photos / name)
    narrow = ENVIRONMENT | NARROW
    on_a_terminal(tmp_path, "release", archive, photos, "--out", "out", env=narrow)
    ids = [*NAMES[:2], "caf\\xe9.jpg"]
    for command in (["list", archive], ["search", archive, photos, "--probes", "8"]):
        reported = run_apart(*command, "--json", cwd=tmp_path, env=narrow).objects
        assert {o.get("id") or o["hits"][0]["id"] for o in reported} == set(ids)
    # Output written under one locale is understood under the other.
    for env in (ENVIRONMENT, narrow):
        ran = run_apart("release", archive, photos, "--out", "out", cwd=tmp_path, env=env)
        assert (ran.status, ran.out.count("already released")) == (0, 3)
        assert run_apart("verify", archive, cwd=tmp_path, env=env).status == 0
        for name in NAMES:  # as the shell gives them, byte for byte
            ran = run_apart("show", archive, os.fsencode(name), cwd=tmp_path, env=env)
            assert ran.status == 0, ran.err
    assert run_apart("remove", archive, *map(os.fsencode, NAMES), cwd=tmp_path).status == 0


def test_arguments_that_are_no_utf8(homing_cli, archive, tmp_path, photos):
    name = b"nowhere\xe9"
    for command in (
        ["list", name],
        ["init", name],
        ["search", archive, name],
        ["codebook", "show", name],
        ["show", archive, name],
    ):
        ran = homing_cli(*map(os.fsdecode, command))
        assert ran.status == (1 if command[0] == "show" else 2), command
        assert ran.err.startswith("homing: "), ran.err
        assert ran.err.count("\n") == 1
        assert "cannot be read or written" not in ran.err
    ran = run_apart("release", archive, photos, "--out", b"out\xe9", cwd=tmp_path)
    assert ran.status == 0, ran.err
    assert homing_cli("verify", archive).status == 0


def on_a_terminal(tmp_path, *arguments, out_too=True, env=ENVIRONMENT):
    """Run with standard error, or both streams, on a terminal; return its text and the pipe's."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [EXECUTABLE, *map(str, arguments)],
        stdout=theirs if out_too else subprocess.PIPE,
        stderr=theirs,
        cwd=tmp_path,
        env=env | {"TERM": "xterm", "COLUMNS": "100"},
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
    return seen.decode(errors="replace"), piped.decode()


def test_on_a_terminal_progress_is_shown_and_results_stand_alone(archive, tmp_path, photos):
    seen, _ = on_a_terminal(tmp_path, "release", archive, photos, "--out", "out")
    assert "3/3" in seen
    lines = seen.replace("\r\n", "\n").split("\n")
    for number in range(3):
        (line,) = [one for one in lines if f"photos/{number}.jpg" in one]
        assert line.rpartition("\x1b[2K")[2].startswith("released   photos/")


@pytest.mark.slow
def test_on_a_terminal_the_progress_of_several_workers_is_shown(archive, tmp_path, photos):
    seen, _ = on_a_terminal(tmp_path, "add", archive, photos, "--workers", "2")
    assert "adding" in seen
    assert "3/3" in seen
    assert seen.count("added      photos/") == 3
    assert "Traceback" not in seen


def test_a_full_disk_is_reported(homing_cli, archive, tmp_path, photos):
    homing_cli("add", archive, photos)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [EXECUTABLE, "list", archive], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_file_that_cannot_be_written_ends_the_run_and_not_the_record(
    homing_cli, archive, tmp_path, photos
):
    limited = f"ulimit -f 2; '{EXECUTABLE}' release archive photos --out out --format png"
    done = subprocess.run(
        ["bash", "-c", limited], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "too large: 'out/.homing-" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []
    assert homing_cli("release", archive, photos, "--out", "out").status == 0
    assert homing_cli("verify", archive).status == 0


def test_tracebacks_are_shown_on_request(tmp_path):
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


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("raise ImportError('libGL.so.1: cannot open shared object file')", "OpenCV cannot be"),
        ("import nonesuch", "the library 'nonesuch' cannot be loaded"),
    ],
)
def test_a_library_that_cannot_be_loaded_is_named(archive, photos, tmp_path, broken, words):
    (tmp_path / "fakes").mkdir()
    (tmp_path / "fakes" / "cv2.py").write_text(broken)
    path = os.pathsep.join([str(tmp_path / "fakes"), os.environ.get("PYTHONPATH", "")])
    environment = {**ENVIRONMENT, "PYTHONPATH": path}
    ran = subprocess.run(
        [EXECUTABLE, "release", archive, photos, "--out", "out"],
        capture_output=True, text=True, cwd=tmp_path, env=environment, check=False,
    )  # fmt: skip
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.splitlines()[-1].startswith(f"homing: {words}")
