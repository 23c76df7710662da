"""``homing watch``, as real processes: killed, interrupted, started twice; and what it prints."""

import json
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

import homing
from homing.cli.watch import watch
from tests.helpers.command_line import EXECUTABLE
from tests.helpers.pictures import make_pictures, picture

#: Settled at once, the quickest method.
QUICK = ["--out", "out", "--settle", "0.3", "--interval", "0.1", "--method", "paper"]
KILLED = """
import os, sys
import homing.archive.ingest.release, homing.archive.ingest.staging as staging
import homing.watch.aside as aside, homing.watch.watcher as watcher
def dying(module, name, times):
    function, calls = getattr(module, name), [0]
    def wrapped(*arguments, **options):
        calls[0] += 1
        result = function(*arguments, **options)
        if calls[0] == times:
            os.kill(os.getpid(), 9)
        return result
    setattr(module, name, wrapped)
"""
POINTS = {
    "one file staged": "dying(staging, 'write_durably', 1)",
    "one file published": "dying(staging, 'publish', 1)",
    "recorded, nothing moved": "watcher.move_aside = lambda *_: os.kill(os.getpid(), 9)",
    "one picture in both folders": "dying(aside, '_publish', 1)",
    "two pictures moved": "dying(watcher, 'move_aside', 2)",
}


@pytest.fixture
def incoming(tmp_path: Path, archive: Path) -> Path:
    """A watched folder with three pictures, one in a subfolder; ``archive`` is beside it."""
    make_pictures(tmp_path / "in", 2, digits=1)
    make_pictures(tmp_path / "in" / "sub", 1, first=2, digits=1)
    return Path("in")


def files(folder: str | Path) -> list[str]:
    found = Path(folder).rglob("*")
    names = (path.relative_to(folder).as_posix() for path in found if path.is_file())
    return sorted(name for name in names if not name.startswith("."))


def entries(archive: Path) -> list[str]:
    return sorted(row.id for row in homing.open(archive).entries())


def started(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [os.fspath(EXECUTABLE), "watch", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_what_has_arrived_is_released_once(homing_cli, archive, incoming) -> None:
    (incoming / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (incoming / "1.jpg.json").write_text(json.dumps({"by": "Ann"}))
    ran = homing_cli("watch", incoming, "--archive", archive, *QUICK, "--once", "--json")
    assert ran.status == 1
    by_source = {Path(each["source"]).as_posix(): each for each in ran.objects}
    assert by_source["in/0.jpg"]["status"] == "released"
    assert by_source["in/0.jpg"]["moved"] == str(Path("in-done/0.jpg"))
    assert by_source["in/sub/2.jpg"]["id"] == "sub/2.jpg"
    assert by_source["in/bad.jpg"]["status"] == "failed"
    assert files("in") == []
    assert files("in-done") == ["0.jpg", "1.jpg", "1.jpg.json", "sub/2.jpg"]
    assert files("in-failed") == ["bad.jpg", "bad.jpg.txt"]
    assert by_source["in/bad.jpg"]["reason"] in Path("in-failed/bad.jpg.txt").read_text()
    assert files("out") == ["0.jpg", "1.jpg", "sub/2.jpg"]
    found = homing.open(archive).search("out/1.jpg")
    assert (found[0].id, found[0].metadata) == ("1.jpg", {"by": "Ann"})
    again = homing_cli("watch", incoming, "--archive", archive, *QUICK, "--once", "--json")
    assert (again.status, again.out) == (0, "")


def test_two_pictures_of_one_name_are_both_kept(homing_cli, archive, incoming) -> None:
    homing_cli("watch", incoming, "--archive", archive, *QUICK, "--once")
    picture(7).save("in/0.jpg")
    picture(1).save("in/1.jpg", quality=92)  # the very file that was released
    ran = homing_cli("watch", incoming, "--archive", archive, *QUICK, "--once")
    assert ran.status == 1
    assert "taken by another picture" in ran.err
    assert "already released" in ran.out
    assert files("in-failed") == ["0.jpg", "0.jpg.txt"]
    assert files("in-done") == ["0.jpg", "1.jpg", "sub/2.jpg"]
    assert len(entries(archive)) == 3


def test_names_that_one_format_makes_alike_cost_one_picture(homing_cli, archive, incoming) -> None:
    picture(8).save("in/0.png")
    ran = homing_cli("watch", incoming, "--archive", archive, *QUICK, "--once", "--format", "webp")
    assert ran.status == 1
    assert files("in-done") == ["0.jpg", "1.jpg", "sub/2.jpg"]
    assert files("in-failed") == ["0.png", "0.png.txt"]
    assert "is the file of" in Path("in-failed/0.png.txt").read_text()


@pytest.mark.parametrize(
    "point",
    [next(iter(POINTS)), *(pytest.param(p, marks=pytest.mark.slow) for p in [*POINTS][1:])],
)
def test_killed_at_any_point_it_goes_on(homing_cli, archive, incoming, point) -> None:
    arguments = ["watch", incoming, "--archive", archive, *QUICK, "--once", "--json"]
    code = f"{KILLED}{POINTS[point]}\nfrom homing.cli import main\nmain(sys.argv[1:])"
    ended = subprocess.run(
        [EXECUTABLE.parent / "python", "-c", code, *map(str, arguments)],
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert {*files("in"), *files("in-done")} == {"0.jpg", "1.jpg", "sub/2.jpg"}
    ran = homing_cli(*arguments)
    assert ran.status == 0, ran.err
    assert files("in") == []
    assert files("in-done") == files("out") == ["0.jpg", "1.jpg", "sub/2.jpg"]
    assert entries(archive) == ["0.jpg", "1.jpg", "sub/2.jpg"]
    assert homing_cli("verify", archive).status == 0
    assert not list(Path("out").glob(".homing-*"))


def test_a_growing_file_is_taken_whole_and_a_signal_ends_gently(
    homing_cli, archive, incoming
) -> None:
    process = started(incoming, "--archive", archive, *QUICK, "--json")
    assert process.stdout is not None
    first = [json.loads(process.stdout.readline()) for _ in range(3)]
    assert [each["status"] for each in first] == ["released"] * 3
    second = homing_cli("watch", incoming, "--archive", archive, *QUICK)
    assert second.status == 2
    assert "another process watches" in second.err
    data = picture_bytes()
    with Path("in/slow.jpg").open("wb", buffering=0) as file:
        for start in range(0, len(data), len(data) // 8):
            file.write(data[start : start + len(data) // 8])
            time.sleep(0.1)
    taken = json.loads(process.stdout.readline())
    assert (taken["id"], taken["status"]) == ("slow.jpg", "released")
    assert Path("in-done/slow.jpg").read_bytes() == data
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert out == ""
    assert homing_cli("verify", archive).status == 0


def picture_bytes() -> bytes:
    picture(9).save("whole.jpg", quality=92)
    return Path("whole.jpg").read_bytes()


@pytest.mark.slow
def test_a_second_signal_ends_at_once_and_nothing_is_lost(homing_cli, archive, tmp_path) -> None:
    make_pictures(tmp_path / "in", 40, digits=2)
    process = started("in", "--archive", archive, "--out", "out", "--settle", "0", "--json")
    while not list(Path("out").glob(".homing-*/[0-9]*")):  # in the middle of the first batch
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert "run the same command again" in err
    left = len(files("in"))
    assert left > 8
    ran = homing_cli("watch", "in", "--archive", archive, *QUICK, "--once", "--json")
    assert (ran.status, len(ran.objects)) == (0, left)
    assert len(files("in-done")) == len(files("out")) == len(entries(archive)) == 40


def test_folders_within_each_other_are_refused(homing_cli, archive, incoming) -> None:
    ran = homing_cli("watch", incoming, "--archive", archive, "--out", "out", "--done", "out/kept")
    assert ran.status == 2
    assert "choose another folder" in ran.err
    assert files("in") == ["0.jpg", "1.jpg", "sub/2.jpg"]


def test_the_commands_of_the_page_can_be_given() -> None:
    page = Path(__file__).parents[2] / "docs" / "guides" / "watch.md"
    lines = re.findall(r"homing (watch .*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    commands = [line for line in lines if "--archive" in line]
    assert len(commands) == 3
    for line in commands:
        name, *arguments = shlex.split(line)
        assert watch.make_context(name, arguments).params["archive"].endswith("archive")
