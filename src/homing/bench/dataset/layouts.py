"""Layouts of published data sets: the pictures searched for, the background and the copies.

DISC21 [1]_: ``references/R000000.jpg`` …, ``dev_queries/Q00000.jpg`` …, and a ground truth of lines
``Q00000,R012345`` (``Q00001,`` or no line for a query without a match). As in the paper, the
references that have a match are activated; the others are the background.

Copydays [2]_: ``original/200000.jpg`` …; copies in ``strong/200001.jpg`` (of the original whose
name begins with the same four digits), ``crops/10/200000.jpg`` … and ``jpegqual/3/200000.jpg`` ….
It has no distractors of its own.

References
----------
.. [1] M. Douze et al. "The 2021 Image Similarity Dataset and Challenge". arXiv:2106.09672.
.. [2] M. Douze, H. Jégou, H. Sandhawalia, L. Amsaleg, C. Schmid. "Evaluation of GIST descriptors
   for web-scale image search". CIVR 2009.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from homing.errors import UsageError
from homing.images import FoundPicture, find_pictures

LAYOUTS = ("disc21", "copydays")
"""Names that :func:`read_layout` takes."""

_REFERENCES = ("references", "reference", "val_ref")
_QUERIES = ("dev_queries", "final_queries", "queries", "query", "val_query")
_BLOCK = 4  # digits of a Copydays name that identify the original
_NO_MATCH = "without a match"


@dataclass(frozen=True)
class Published:
    """A copy that comes with the data set."""

    found: FoundPicture
    originals: tuple[Path, ...]  # the pictures that it copies; empty without a match
    block: str  # the kind of copy


@dataclass(frozen=True)
class DataSet:
    """The pictures that are measured on."""

    photos: Sequence[FoundPicture]  # their copies are searched for
    background: Sequence[FoundPicture]  # other pictures, at least ten
    published: Sequence[Published] = ()  # copies that come with them


def read_layout(name: str, folder: Path) -> DataSet:
    """Find the parts of a data set; `UsageError` if the folder is not laid out so."""
    if name == "disc21":
        return _disc21(folder)
    if name == "copydays":
        return _copydays(folder)
    raise UsageError(f"no layout is called {name!r}; known: {', '.join(LAYOUTS)}")


def _disc21(folder: Path) -> DataSet:
    references = next((folder / n for n in _REFERENCES if (folder / n).is_dir()), None)
    truths = sorted(folder.glob("*ground*truth*.csv")) + sorted(folder.glob("*/*ground*truth*.csv"))
    if references is None or not truths:
        raise UsageError(
            f"{folder} is not laid out as DISC21 is: it wants a folder {_REFERENCES[0]}/ and a "
            "ground truth such as dev_ground_truth.csv, with lines query,reference"
        )
    matches: dict[str, list[str]] = {}
    for path in truths:
        for query, reference in _pairs(path):
            matches.setdefault(query, []).append(reference)
    wanted = {reference for found in matches.values() for reference in found}
    every = list(find_pictures([references]))
    photos = tuple(found for found in every if found.path.stem in wanted)
    background = tuple(found for found in every if found.path.stem not in wanted)
    if not photos:
        raise UsageError(f"no reference that {truths[0].name} names is in {references}")
    paths = {found.path.stem: found.path for found in photos}
    published = []
    for name in _QUERIES:
        if (folder / name).is_dir():
            for found in find_pictures([folder / name]):
                named = matches.get(found.path.stem, ())
                originals = tuple(paths[each] for each in named if each in paths)
                if originals or not named:
                    block = name if originals else _NO_MATCH
                    published.append(Published(found, originals, block))
    return DataSet(photos, background, tuple(published))


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            if len(row) >= 2 and row[1].strip() and row[0].strip() != "query_id":
                yield row[0].strip(), row[1].strip()


def _copydays(folder: Path) -> DataSet:
    photos = tuple(find_pictures([folder / "original"])) if (folder / "original").is_dir() else ()
    blocks = [
        part
        for part in (folder / "strong", *sorted(folder.glob("crops/*"), key=_number),
                     *sorted(folder.glob("jpegqual/*"), key=_number))
        if part.is_dir()
    ]  # fmt: skip
    if not photos or not blocks:
        raise UsageError(
            f"{folder} is not laid out as Copydays is: it wants original/ and at least one of "
            "strong/, crops/10/, jpegqual/3/ …"
        )
    paths: dict[str, list[Path]] = {}
    for found in photos:
        paths.setdefault(found.path.stem[:_BLOCK], []).append(found.path)
    published = [
        Published(
            found, tuple(paths[found.path.stem[:_BLOCK]]), part.relative_to(folder).as_posix()
        )
        for part in blocks
        for found in find_pictures([part])
        if found.path.stem[:_BLOCK] in paths
    ]
    return DataSet(photos, (), tuple(published))


def _number(path: Path) -> tuple[int, str]:
    return (int(path.name), "") if path.name.isdigit() else (-1, path.name)
