"""Code blocks of the documentation: their language, their text, and why they are not run."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^```(\w*)\s*$")
_MARK = re.compile(r"^<!-- not run: (.+?) -->$")
_LIST = re.compile(r"^\s*([-*]|\d+\.) ")
#: First words of commands in blocks that name no language.
_PROGRAMS = "homing python pip make pytest curl openssl printf cat git docker mkdocs cp export"


@dataclass(frozen=True)
class Block:
    """A code block of a page."""

    page: str  # path below the project
    line: int
    language: str  # "python", "sh", or what else is named; "" for text
    text: str
    reason: str | None  # why it is not run

    @property
    def where(self) -> str:
        """The page and the line."""
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Return the pages that users read."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks_of(path: Path) -> list[Block]:
    """Return the code blocks of a page, fenced and indented."""
    lines = path.read_text(encoding="utf-8").splitlines()
    page = path.relative_to(ROOT).as_posix()
    found, number = [], 0
    while number < len(lines):
        start = number
        if fence := _FENCE.match(lines[number]):
            number = next(n for n in range(start + 1, len(lines)) if lines[n] == "```") + 1
            text = lines[start + 1 : number - 1]
            language = fence[1] or _language(text)
        elif _is_indented(lines, number):
            while number < len(lines) and (lines[number].startswith("    ") or not lines[number]):
                number += 1
            text = [line[4:] for line in lines[start:number]]
            language = _language(text)
        else:
            number += 1
            continue
        reason = _reason(lines, start - 1) or _reason(lines, number)
        found.append(Block(page, start + 1, language, "\n".join(text).strip() + "\n", reason))
    return found


def _is_indented(lines: list[str], number: int) -> bool:
    """Return whether an indented block begins at a line: not the rest of a list's item."""
    if not lines[number].startswith("    ") or (number and lines[number - 1]):
        return False
    above = next((line for line in reversed(lines[:number]) if line and line[0] != " "), "")
    return not _LIST.match(above)


def _language(text: list[str]) -> str:
    words = text[0].split() if text else []
    return "sh" if words and words[0] in _PROGRAMS.split() else ""


def _reason(lines: list[str], number: int) -> str | None:
    mark = _MARK.match(lines[number]) if 0 <= number < len(lines) else None
    return mark[1] if mark else None
