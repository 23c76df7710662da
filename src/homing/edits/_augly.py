"""AugLy, as far as it is used: whether it is there, and its emoji, fonts and templates.

AugLy is an optional part (the extra ``bench``). Its folders are always read sorted, so that a
generator's choice among them is the same on every file system.
"""

import importlib.util
import json
import pickletools
from functools import cache
from pathlib import Path
from types import ModuleType

from PIL import Image

from homing.errors import UsageError

_INTEGERS = frozenset({"BININT", "BININT1", "BININT2"})


def random_available() -> bool:
    """Tell whether the edit *random* can be made here, that is, whether AugLy is installed.

    Returns
    -------
    bool
        Found without importing AugLy.
    """
    return importlib.util.find_spec("augly") is not None


def require_augly() -> None:
    """Refuse to go on without AugLy.

    Raises
    ------
    UsageError
        Where AugLy is not installed; says how to install it.
    """
    if not random_available():
        raise UsageError(
            "the edits 'random' and 'screenshot' need AugLy, which is not installed: "
            "pip install 'homing[bench]', or leave these edits out"
        )


def image_functions() -> ModuleType:
    """Import AugLy's functions on pictures.

    Returns
    -------
    module
        ``augly.image``.

    Raises
    ------
    UsageError
        Where AugLy is not installed.
    """
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
    """List AugLy's 872 emoji.

    Returns
    -------
    tuple of Path
        PNG files, sorted by path.
    """
    return tuple(sorted((_assets() / "twemojis").rglob("*.png")))


@cache
def font_files() -> tuple[Path, ...]:
    """List AugLy's TrueType fonts for which it lists the characters.

    Returns
    -------
    tuple of Path
        Font files, sorted by path.
    """
    fonts = sorted((_assets() / "fonts").glob("*.ttf"))
    return tuple(font for font in fonts if font.with_suffix(".pkl").is_file())


def characters(font: Path) -> tuple[int, ...]:
    """Read which characters a font of AugLy's has.

    AugLy keeps them as a pickled list of integers. Nothing is unpickled here: the integers are
    read off the pickle's instructions, none of which is carried out.

    Parameters
    ----------
    font : Path
        One of :func:`font_files`.

    Returns
    -------
    tuple of int
        Unicode code points, in AugLy's order.
    """
    instructions = pickletools.genops(font.with_suffix(".pkl").read_bytes())
    return tuple(
        value
        for kind, value, _ in instructions
        if kind.name in _INTEGERS and isinstance(value, int)
    )


def template(name: str) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """Read a screenshot with a place for a picture in it.

    Parameters
    ----------
    name : str
        ``"mobile.png"`` or ``"web.png"``.

    Returns
    -------
    image : PIL.Image.Image
        8-bit RGB.
    box : tuple of int
        Left, upper, right and lower edge of the place, in pixels.
    """
    folder = _assets() / "screenshot_templates"
    boxes = json.loads((folder / "bboxes.json").read_text(encoding="utf-8"))
    left, upper, right, lower = boxes[name]
    with Image.open(folder / name) as picture:
        return picture.convert("RGB"), (left, upper, right, lower)
