"""Manifests: tables (``.csv``) or JSON lines (``.jsonl``) that list pictures."""

import codecs
import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from homing.errors import UsageError
from homing.files.regular import irregularity
from homing.images.find import check_present
from homing.images.limits import shown

PATH, ID = "path", "id"
"""Columns with a meaning; in other letters, or between blanks, they are the same columns."""

_MOST_NESTED = 64  # of metadata: what reads them again may be deep in other calls
_NO_OBJECT = "its metadata are no JSON object"
_TABLES, _LINES = (".csv", ".tsv"), (".jsonl", ".ndjson")
_SEPARATORS = (",", ";", "\t", "|")
_MARKS = (  # of the encodings, at a file's beginning; that of UTF-16 begins that of UTF-32
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def is_list(path: Path) -> bool:
    """Return whether a file is a list of pictures, by its name."""
    return path.suffix.lower() in _TABLES + _LINES


def read_manifest(manifest: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the values of each line, "path" and "id" under these names.

    A table's columns are separated by commas, semicolons, tabs or bars. Text is UTF-8, or UTF-16
    or UTF-32 with a byte order mark. Raises UsageError if it cannot be read.
    """
    suffix = manifest.suffix.lower()
    if not is_list(manifest):
        raise UsageError(f"a manifest ends in .csv or .jsonl; {manifest.name!r} does not")
    check_present([manifest])
    try:
        if wrong := irregularity(manifest):
            raise UsageError(f"the manifest {shown(manifest)!r} {wrong}")
        encoding = _encoding(manifest)
        with manifest.open(encoding=encoding, newline="") as file:
            yield from _rows(manifest, file) if suffix in _TABLES else _objects(manifest, file)
    except UnicodeError as error:
        name, line = encoding.removesuffix("-sig").upper(), _undecodable_line(manifest, encoding)
        raise UsageError(
            f"{shown(manifest)}{line}: not {name}; save it as UTF-8 (Excel: as 'CSV UTF-8')"
        ) from error
    except (OSError, csv.Error) as error:
        raise UsageError(f"the manifest {shown(manifest)!r} cannot be read: {error}") from error


def _undecodable_line(manifest: Path, encoding: str) -> str:
    """Name the first line that is not of an encoding, where bytes of lines can be told apart."""
    if encoding == "utf-8-sig":
        for number, line in enumerate(manifest.read_bytes().splitlines(), start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return f", line {number}"
    return ""


def _encoding(manifest: Path) -> str:
    """Return the encoding of a file: as its mark says, as its zero bytes show, or UTF-8."""
    with manifest.open("rb") as file:
        head = file.read(4)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if len(head) == 4 and not head[1] and not head[3]:  # a manifest begins with ASCII
        return "utf-16-le"
    return "utf-16-be" if len(head) == 4 and not head[0] and not head[2] else "utf-8-sig"


def _rows(manifest: Path, file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a table."""
    before, first = 0, file.readline()
    # Blank lines, as `csv` skips them; and the line by which Excel is told a separator.
    while first and (not first.strip() or first.startswith("sep=")):
        before, first = before + 1, file.readline()
    if not first:
        return
    separator = _separator(manifest, first)
    # "path, id": then blanks behind separators belong to no value, in any line.
    padded = all(cell[:1] in ("", " ") for cell in first.split(separator)[1:])
    lines = itertools.chain([first], file)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=padded)
    header = _header(manifest, next(reader))
    for values in reader:
        line = reader.line_num + before
        if len(values) > len(header):
            raise UsageError(
                f"{shown(manifest)}, line {line}: more values than columns; put quotes around a "
                f"value that holds {separator!r}"
            )
        if values:
            yield line, dict(zip(header, values, strict=False))


def _separator(manifest: Path, first: str) -> str:
    """Return the separator by which a table's first line has a column for paths."""
    cells = {
        each: next(csv.reader([first], delimiter=each, skipinitialspace=True))
        for each in _SEPARATORS
    }
    for separator, names in cells.items():
        if PATH in map(_folded, names):
            return separator
    names = max(cells.values(), key=len)
    raise UsageError(
        f"{shown(manifest)}, line 1: no column is named 'path', but "
        f"{', '.join(repr(name) for name in names[:8])}; name the columns in the first line"
    )


def _folded(name: str) -> str:
    return name.strip().casefold()


def _header(manifest: Path, names: Sequence[str]) -> list[str]:
    """Return the names of a table's columns: those with a meaning as they are known."""
    header = [_known(name.strip(), names) for name in names]
    for name in (PATH, ID):
        if header.count(name) > 1:
            raise UsageError(f"{shown(manifest)}, line 1: two columns are named {name!r}")
    return header


def _known(name: str, names: Sequence[str]) -> str:
    """Return "path" or "id" for another spelling of it, unless the very name is there too."""
    folded = _folded(name)
    return folded if folded in (PATH, ID) and folded not in names else name


def _objects(manifest: Path, file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of JSON lines."""
    for number, line in enumerate(file, start=1):
        if line.strip():
            values = _parse(manifest, number, line)
            names = list(values)
            yield number, {_known(name, names): value for name, value in values.items()}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _parse(manifest: Path, number: int, line: str) -> Mapping[str, Any]:
    try:
        values = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{shown(manifest)}, line {number}: not JSON ({error})") from error
    if not isinstance(values, dict):
        raise UsageError(f"{shown(manifest)}, line {number}: expected an object with a 'path'")
    return values


def metadata_problem(metadata: object) -> str | None:
    """Say why metadata cannot be kept: they are no JSON object, or nested too deeply to be read."""
    try:
        text = json.dumps(metadata, ensure_ascii=False, sort_keys=True, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        return _NO_OBJECT
    if not isinstance(metadata, dict) or not all(isinstance(key, str) for key in metadata):
        return _NO_OBJECT
    level: list[Any] = [metadata]
    for _ in range(_MOST_NESTED):
        level = [inner for value in level for inner in _inside(value)]
    return f"its metadata are nested more than {_MOST_NESTED} deep" if level else None


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()
