"""AugLy's functions, emoji, fonts and templates; an optional package (the extra ``bench``).

Its folders are read sorted, so that a generator's choice among their files is the same on every
file system. Without AugLy all but :func:`random_available` raise `UsageError`.
"""

import importlib.util
import json
import pickletools
from functools import cache
from pathlib import Path
from types import ModuleType

from PIL import Image

from homing.errors import UsageError
from homing.extras import install_command

_INTEGERS = frozenset({"BININT", "BININT1", "BININT2"})


def random_available() -> bool:
    """Return whether the edit *random* is available: AugLy is installed (but not imported here)."""
    return importlib.util.find_spec("augly") is not None


def require_augly() -> None:
    """Raise `UsageError`, with the remedy, if AugLy is not installed."""
    if not random_available():
        raise UsageError(
            "the edits 'random' and 'screenshot' need AugLy, which is not installed: "
            f"{install_command('bench')}, or leave these edits out"
        )


def image_functions() -> ModuleType:
    """Import and return ``augly.image``."""
    require_augly()
    import augly.image

    module: ModuleType = augly.image
    return module


@cache
def _assets() -> Path:
    require_augly()
    spec = importlib.util.find_spec("augly")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "assets"


@cache
def emoji_files() -> tuple[Path, ...]:
    """List AugLy's 872 emoji, PNG files."""
    return tuple(sorted((_assets() / "twemojis").rglob("*.png")))


@cache
def font_files() -> tuple[Path, ...]:
    """List AugLy's TrueType fonts for which it lists the characters."""
    fonts = sorted((_assets() / "fonts").glob("*.ttf"))
    return tuple(font for font in fonts if font.with_suffix(".pkl").is_file())


def characters(font: Path) -> tuple[int, ...]:
    """Read the Unicode code points of one of AugLy's fonts, in AugLy's order.

    AugLy stores them as a pickled list of integers. Nothing is unpickled here: the integers are
    read off the pickle's instructions, none of which is executed.
    """
    instructions = pickletools.genops(font.with_suffix(".pkl").read_bytes())
    return tuple(
        value
        for kind, value, _ in instructions
        if kind.name in _INTEGERS and isinstance(value, int)
    )


def template(name: str) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """Read a screenshot, and the left, upper, right, lower edge of its place for a picture.

    `name` is ``"mobile.png"`` or ``"web.png"``; the screenshot is 8-bit RGB.
    """
    folder = _assets() / "screenshot_templates"
    boxes = json.loads((folder / "bboxes.json").read_text(encoding="utf-8"))
    left, upper, right, lower = boxes[name]
    with Image.open(folder / name) as picture:
        return picture.convert("RGB"), (left, upper, right, lower)
