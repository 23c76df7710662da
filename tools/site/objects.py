"""Reference of ``--json``: commands are run, and what they print is shown."""

import contextlib
import json
import shlex
import tempfile
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from homing.cli.main import cli
from homing.demo.generated import generated_picture

#: What is run, in this order, and what is said of it.
RUNS = (
    ("homing release archive photos/ --out released/ --json", "A line for each picture."),
    ("homing add archive others/ --json", "The same keys, as far as they apply."),
    ("homing search archive suspect.jpg --k 1 --json", "A line for each query, with its hits."),
    ("homing explain archive suspect.jpg --json", ""),
    ("homing duplicates archive --json", "A line for each group; none here."),
    ("homing cells archive suspect.jpg --json", ""),
    ("homing list archive --json", "A line for each entry."),
    ("homing show archive 0.png --json", ""),
    ("homing decide archive suspect.jpg 0.png copy --json", ""),
    ("homing decisions archive --json", ""),
    ("homing stats archive --json", ""),
    ("homing versions archive --json", "A line for each version."),
    ("homing codebook show archive --json", ""),
    ("homing verify archive --json", "A line for each problem; none here."),
    ("homing descriptors --json", "A line for each descriptor."),
)
_MOST_LINES = 1
_MOST_NUMBERS = 4  # of a list


def as_markdown() -> str:
    """Return a section for each command with what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        _make_pictures(Path(folder))
        return "\n".join(_section(command, text, Path(folder)) for command, text in RUNS)


def _make_pictures(folder: Path) -> None:
    for number, place in enumerate(("photos", "photos", "others")):
        picture = generated_picture(np.random.default_rng([7, number]))
        picture.thumbnail((240, 240))
        (folder / place).mkdir(exist_ok=True)
        picture.save(folder / place / f"{number}.png")
        if number == 0:
            picture.crop((20, 10, 220, 150)).save(folder / "suspect.jpg", quality=70)
    run("homing init archive", folder)


def _section(command: str, text: str, folder: Path) -> str:
    printed = run(command, folder).splitlines()
    shown = [_pretty(json.loads(line)) for line in printed[:_MOST_LINES]]
    block = "\n".join(shown) or "(nothing)"
    name = command.partition(" archive")[0].removesuffix(" --json")
    return f"## {name}\n\n{text}\n\n```sh\n{command}\n```\n\n```json\n{block}\n```\n"


def run(command: str, folder: Path) -> str:
    """Run a command of homing in a folder and return what it printed.

    Raises
    ------
    RuntimeError
        If it failed; with its messages.
    """
    with contextlib.chdir(folder):
        done = CliRunner().invoke(cli, shlex.split(command)[1:])
    if done.exit_code != 0:
        raise RuntimeError(f"{command}: {done.stderr}")
    return done.stdout


def _pretty(value: object) -> str:
    return json.dumps(_shortened(value), indent=2, ensure_ascii=False)


def _shortened(value: object) -> object:
    """Return a value with its long lists cut."""
    if isinstance(value, dict):
        return {key: _shortened(each) for key, each in value.items()}
    if isinstance(value, list):
        kept = [_shortened(each) for each in value[:_MOST_NUMBERS]]
        return [*kept, "…"] if len(value) > _MOST_NUMBERS else kept
    return value
