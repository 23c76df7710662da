"""Copies found only among untouched, or only among activated pictures.

OUT is the output folder of `homing bench`. Copies are compared one by one: the same edit and draw
of the same picture, untouched and activated. A copy is found if its entry is first, at least by an
even chance if others are as near. No index stands for an exact search.
"""

import argparse
import csv
import sys
from collections import defaultdict
from pathlib import Path

from _common import require

PASSIVE = "passive"
FOUND = 0.5  # chance of being right from which a copy counts as found

#: What tells a copy from others, and whether it is found.
Copies = dict[tuple[str, str, str], bool]


def main() -> int:
    """Count and print a table."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("out", type=Path, metavar="OUT")
    made.add_argument("--search", default="exact", help="a search's name in observations.csv")
    made.add_argument("--without", nargs="*", default=["screenshot"], help="edits not counted")
    options = made.parse_args()
    found = _found(options.out / "observations.csv", options.search, set(options.without))
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


def _found(path: Path, search: str, without: set[str]) -> dict[tuple[str, str, str], Copies]:
    """For every index, codebook activated for, and method: which copies are found."""
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
