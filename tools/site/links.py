"""Names of pages in the text, such as ``searching.md`` as code, become links to them."""

import os
import re
from functools import cache
from pathlib import Path, PurePosixPath

DOCS = Path(__file__).parents[2] / "docs"

_NAME = re.compile(r"(?<!\[)`(?:docs/)?((?:[\w-]+/)*[\w-]+\.md)`")
_FENCE = re.compile(r"^(```|~~~)")
#: Files that are named and are no pages.
ELSEWHERE = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}


@cache
def pages() -> dict[str, str]:
    """Return the pages' paths below ``docs`` by path, and by name where it is the only such one."""
    paths = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    names = [PurePosixPath(path).name for path in paths]
    alone = {name: path for name, path in zip(names, paths, strict=True) if names.count(name) == 1}
    return alone | {path: path for path in paths}


@cache
def title(path: str) -> str:
    """Return the first heading of a page."""
    text = (DOCS / path).read_text(encoding="utf-8")
    heading = re.search(r"^# (.+)$", text, re.M)
    return heading[1].strip() if heading else path


def linked(markdown: str, path: str) -> str:
    """Return the text of the page at `path` with a link for each page that it names."""
    lines, in_fence = [], False
    for line in markdown.splitlines():
        if _FENCE.match(line.lstrip()):
            in_fence = not in_fence
        if in_fence or line.startswith("    "):
            lines.append(line)
        else:
            lines.append(_NAME.sub(lambda name: _link(name, path), line))
    return "\n".join(lines) + "\n"


def unknown(markdown: str) -> list[str]:
    """Return the names of pages in the text of which there is none."""
    names = [name[1] for name in _NAME.finditer(markdown)]
    return [name for name in names if name not in pages() and not _elsewhere(name)]


def _elsewhere(name: str) -> bool:
    return name in ELSEWHERE or (DOCS.parent / name).exists()


def _link(name: re.Match[str], path: str) -> str:
    target = pages().get(name[1])
    if target is None:
        return name[0]
    start = os.path.dirname(path) or "."  # noqa: PTH120 - of a path in a URL
    return f"[{title(target)}]({os.path.relpath(target, start)})"
