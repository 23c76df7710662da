"""Copies found only among untouched, or only among activated pictures.

OUT is the output folder of `homing bench`. Copies are compared in pairs: the same edit and draw of
the same picture, untouched and activated. A copy is found if its entry is first, or first with a
chance of at least one half among ties. An empty index name denotes exact search.
"""

import argparse
import csv
import sys
from collections import defaultdict
from pathlib import Path

from _common import require

PASSIVE = "passive"
FOUND = 0.5  # least chance of being right at which a copy counts as found

#: Whether a copy is found, by its edit, draw and picture.
Copies = dict[tuple[str, str, str], bool]


def main() -> int:
    """Count and print a table."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("out", type=Path, metavar="OUT")
    made.add_argument("--search", default="exact", help="name of a search in observations.csv")
    made.add_argument("--without", nargs="*", default=["screenshot"], help="edits to leave out")
    options = made.parse_args()
    found = _read_copies(options.out / "observations.csv", options.search, set(options.without))
    require(bool(found), f"{options.out} has no search called {options.search!r}")
    print("| index | activated for | method | copies | missed untouched | found | others lost |")
    print("|---" * 7 + "|")
    for (index, aimed, method), activated in found.items():
        if method == PASSIVE:
            continue
        untouched = found[index, "", PASSIVE]
        both = untouched.keys() & activated.keys()
        missed = [copy for copy in both if not untouched[copy]]
        won = sum(activated[copy] for copy in missed)
        lost = sum(untouched[copy] and not activated[copy] for copy in both)
        print(f"| {index} | {aimed} | {method} | {len(both)} | {len(missed)} | {won} | {lost} |")
    return 0


def _read_copies(path: Path, search: str, without: set[str]) -> dict[tuple[str, str, str], Copies]:
    """Read which copies are found, by index, codebook activated for, and method."""
    found: dict[tuple[str, str, str], Copies] = defaultdict(dict)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["search"] == search and row["edit"] not in without and not row["error"]:
                copy = row["edit"], row["draw"], row["picture"]
                key = row["index"], row["aimed_at"], row["method"]
                found[key][copy] = float(row["right"]) >= FOUND
    return found


if __name__ == "__main__":
    sys.exit(main())
