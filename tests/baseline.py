"""Record of the behaviour that a change of the layout must not touch, and its comparison.

    python tests/baseline.py record before.json      # in the checkout before the change
    python tests/baseline.py compare before.json     # in the one after it: "the same", or exit 1

It holds the ids of all tests, the help of every command, the keys of every ``--json`` line, the
SHA-256 of files released from seeded pictures, and the answers of seeded searches. `--only` limits
the comparison, for a step that changes one of them on purpose. Files are the same on one kind of
processor only, so a record is made and compared on one machine and not committed.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

PARTS = ("tests", "help", "keys", "files", "answers")
_ROOT = Path(__file__).parents[1]


def homing(*arguments: object, folder: Path) -> list[dict[str, Any]]:
    """Run a command with ``--json`` and return its lines."""
    done = subprocess.run(
        [sys.executable, "-m", "homing", *map(str, arguments), "--json"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1):
        raise SystemExit(f"homing {' '.join(map(str, arguments))}\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def picture(seed: int, side: int = 320) -> Image.Image:
    """Return coarse and fine coloured noise, which leaves an activation room."""
    generator = np.random.default_rng(seed)
    layers = [generator.integers(0, 256, (n, n + 2, 3), dtype=np.uint8) for n in (6, 40)]
    size = (side, side * 3 // 4)
    coarse, fine = (Image.fromarray(x).resize(size, Image.Resampling.BICUBIC) for x in layers)
    return Image.blend(coarse, fine, 0.3)


def make_pictures(folder: Path) -> None:
    """Write sources, copies of them, a stranger and a broken file."""
    for name in ("photos", "others", "suspects"):
        (folder / name).mkdir()
    for seed, suffix in enumerate(("jpg", "png", "webp", "tiff", "jpg")):
        picture(seed).save(folder / "photos" / f"{seed}.{suffix}", quality=90)
        small = picture(seed).resize((200, 150)).crop((12, 8, 190, 146))
        small.save(folder / "suspects" / f"{seed}.jpg", quality=60)
    for seed in range(100, 330):  # from 200 entries on an archive calibrates itself
        picture(seed, 96).save(folder / "others" / f"{seed}.jpg", quality=80)
    picture(999).save(folder / "suspects" / "stranger.png")
    (folder / "photos" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")


def keys_of(value: Any) -> Any:
    """Return the shape of a JSON value: its keys and the types of what they hold."""
    if isinstance(value, dict):
        return {key: keys_of(each) for key, each in sorted(value.items())}
    if isinstance(value, list):
        return [keys_of(value[0])] if value else []
    return "number" if type(value) in (int, float) else type(value).__name__


def shapes(lines: list[dict[str, Any]]) -> list[Any]:
    """Return the different shapes of the lines, in a stable order."""
    found = {json.dumps(keys_of(line), sort_keys=True) for line in lines}
    return [json.loads(text) for text in sorted(found)]


def observed(folder: Path) -> dict[str, Any]:
    """Run the commands one after the other; return what they write and answer."""
    make_pictures(folder)
    (folder / "photos.csv").write_text("path,id,author\nphotos/0.jpg,first,me\n")
    runs = {
        "init": ["init", "archive", "--codebook", "IVF64,PQ8x8"],
        "add": ["add", "archive", "others"],
        "release": ["release", "archive", "photos", "--out", "released", "--seed", "5"],
        "release again": ["release", "archive", "photos", "--out", "released", "--seed", "5"],
        "release paper": ["release", "archive", "--manifest", "photos.csv", "--out", "paper",
                          "--method", "paper", "--psnr", "44"],
        "activate": ["activate", "photos/1.png", "--codebook", "IVF256,PQ8x8", "--out", "active",
                     "--method", "robust-fast", "--format", "jpeg"],
        "search": ["search", "archive", "suspects", "--k", "3"],
        "search turned": ["search", "archive", "suspects/0.jpg", "--views", "all", "--probes", "8"],
        "search codes": ["search", "archive", "suspects", "--rerank", "0"],
        "search confirmed": ["search", "archive", "suspects", "--confirm", "--files", "photos"],
        "explain": ["explain", "archive", "suspects/2.jpg", "--files", "others"],
        "index": ["index", "archive"],
        "search lance": ["search", "archive", "suspects", "--k", "3", "--engine", "lance"],
        "list": ["list", "archive"],
        "show": ["show", "archive", "first", "0.jpg", "nothing"],
        "duplicates": ["duplicates", "archive"],
        "calibrate": ["calibrate", "archive"],
        "stats": ["stats", "archive"],
        "verify": ["verify", "archive"],
        "export": ["export", "archive", "rows.parquet"],
        "import": ["import", "archive", "rows.parquet"],
        "remove": ["remove", "archive", "first", "nothing"],
        "compact": ["compact", "archive"],
        "versions": ["versions", "archive"],
        "descriptors": ["descriptors"],
        "codebook show": ["codebook", "show", "archive/codebook.safetensors"],
    }  # fmt: skip
    lines = {name: homing(*arguments, folder=folder) for name, arguments in runs.items()}
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for name in ("released", "paper", "active")
        for path in sorted((folder / name).rglob("*"))
        if path.is_file()
    }
    answers = {name: each for name, each in lines.items() if name.startswith(("search", "dup"))}
    return {
        "keys": {name: shapes(each) for name, each in lines.items()},
        "files": files,
        "answers": without_times(answers),
    }


def without_times(value: Any) -> Any:
    """Return JSON without items that differ between any two runs."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in ("seconds", "created_at")}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def tests() -> list[str]:
    """Return the ids of all tests, without their files: these move."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
        cwd=_ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return sorted(line.split("::", 1)[1] for line in done.stdout.splitlines() if "::" in line)


def help_texts() -> dict[str, str]:
    """Return the help of the group and of every command below it."""
    from homing.cli.main import cli

    def texts(command: click.Command, above: click.Context | None, name: str) -> Iterator[Any]:
        context = click.Context(command, parent=above, info_name=name, terminal_width=100)
        yield context.command_path, command.get_help(context)
        if isinstance(command, click.Group):
            for each in command.list_commands(context):
                found = command.get_command(context, each)
                assert found is not None
                yield from texts(found, context, each)

    return dict(texts(cli, None, "homing"))


def record(only: list[str]) -> dict[str, Any]:
    """Return all that is compared."""
    found: dict[str, Any] = {}
    if "tests" in only:
        found["tests"] = tests()
    if "help" in only:
        found["help"] = help_texts()
    if {"keys", "files", "answers"} & set(only):
        with tempfile.TemporaryDirectory() as folder:
            found |= observed(Path(folder))
    return {part: found[part] for part in only}


def differences(before: Any, after: Any, place: str) -> Iterator[str]:
    """Name the differences, one a line."""
    if isinstance(before, list) and place == "tests":
        yield from (f"tests: gone: {name}" for name in sorted(set(before) - set(after)))
        yield from (f"tests: new: {name}" for name in sorted(set(after) - set(before)))
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from differences(before.get(key), after.get(key), f"{place}: {key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{place}[{number}]")
    elif before != after:
        yield f"{place}: {json.dumps(before)[:200]} is now {json.dumps(after)[:200]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n")[0])
    parser.add_argument("action", choices=("record", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    now = json.loads(json.dumps(record(arguments.only)))
    if arguments.action == "record":
        arguments.file.write_text(json.dumps(now, indent=1) + "\n")
        return
    before = json.loads(arguments.file.read_text())
    found = [line for part in arguments.only for line in differences(before[part], now[part], part)]
    print("\n".join(found) or "the same")
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main()
