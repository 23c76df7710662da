"""What a newsroom is told of copies as they circulate: `python benchmarks/newsroom.py PHOTOS`.

An archive holds the first photographs of PHOTOS, pages, charts and the like that are generated, and
further photographs (BACKGROUND). It is searched, by default, for copies of the photographs, for
strangers under the same edits, for true copies of the pages, and for other pages of the same
designs. Prints how many are called copies. With --time it prints how long such a search takes over
one that compares nothing, for strangers and for copies, one at a time and in batches. With
--work FOLDER it keeps its archive and its answers there, and a run that was interrupted resumes.
"""

import json
import shutil
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from _common import (
    check_target,
    compare,
    describe_setup,
    make_parser,
    picture_paths,
    prepare_process,
    require,
    working_folder,
)
from _copies import COPIES, DOCUMENT_COPIES, Rgb, collage_of, within
from _strangers import STRANGERS
from PIL import Image

KINDS = (  # of copies, but for collages
    "shared", "thumbnail", "crop 4:5", "caption", "mirrored", "grey", "phone", "filter",
    "watermark", "tilted", "photographed",
)  # fmt: skip
TRUE_COPIES = ("document", "scan", "chart", "line chart", "logo")  # of which copies are called
NO_COPIES = (*TRUE_COPIES, "chat", "drawing", "x-ray", "white", "black", "blank", "card", "frame")
COLLAGES = {  # number of pictures, columns; one row keeps the pictures' shapes
    "two": (2, 2), "three": (3, 3), "two by two": (4, 2), "six": (6, 3), "nine": (9, 3),
}  # fmt: skip
GUTTERS = {"": 0, ", gutter": 6}
CHUNK = 48  # pictures whose answers are kept in one file
DECIDING = ("archive", "codebooks", "descriptors", "evidence", "images", "search")  # of homing


@dataclass(frozen=True)
class Asked:
    """A picture to search for, and the entries that it shows."""

    kind: str
    make: Callable[[], Rgb]
    wanted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """What is said of an entry found."""

    id: str
    is_copy: bool | None
    verdict: str | None


@dataclass(frozen=True)
class Answer:
    """What is said of a picture."""

    kind: str
    wanted: tuple[str, ...]
    hits: tuple[Said, ...]

    @property
    def copies(self) -> list[str]:
        """Ids of what it is called a copy of."""
        return [hit.id for hit in self.hits if hit.is_copy]

    @property
    def right(self) -> bool:
        """Whether the first hit is a wanted one, called a copy."""
        return bool(self.hits) and bool(self.hits[0].is_copy) and self.hits[0].id in self.wanted

    @property
    def verdict(self) -> str:
        """What is said of the first entry wanted: a copy, undecided (or a part), or no copy."""
        hit = next((hit for hit in self.hits if hit.id == self.wanted[0]), None)
        if hit is None:
            return "not found"
        return {True: "copy", None: "undecided", False: "none"}[hit.is_copy]


def ask(archive, asked: Iterable[Asked], folder: Path) -> list[Answer]:
    """Search for pictures; answers that are in the folder are read from there."""
    folder.mkdir(exist_ok=True)
    rest, found = iter(asked), []
    while chunk := list(islice(rest, CHUNK)):
        kept = folder / f"{len(found):06}.json"
        if not kept.exists():
            part = kept.with_suffix(".part")
            part.write_text(json.dumps(search_for(archive, chunk, folder / "pictures")))
            part.replace(kept)
        for each, hits in zip(chunk, json.loads(kept.read_text()), strict=True):
            found.append(Answer(each.kind, each.wanted, tuple(Said(*hit) for hit in hits)))
    return found


def search_for(archive, asked: Sequence[Asked], folder: Path) -> list[list[tuple]]:
    """Write pictures to a folder, search for them, and return what is said of each one's hits."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, each in enumerate(asked):
        each.make().save(folder / f"{number:06}.png", compress_level=1)
    results = list(archive.search_each([folder], k=10))
    shutil.rmtree(folder)
    return [
        [astuple(Said(hit.id, hit.is_copy, hit.verdict)) for hit in result.hits]
        for result in results
    ]


def read(paths: Iterable[Path]) -> list[Rgb]:
    """Read pictures, 8-bit RGB."""
    return [Image.open(path).convert("RGB") for path in paths]


def copies(photos: list[Rgb], ids: list[str], kinds: Iterable[str], seed: int) -> Iterator[Asked]:
    """Yield copies of photographs as they circulate."""
    for kind in kinds:
        for number, photo in enumerate(photos):
            other = (number + 7) % len(photos)

            def make(kind=kind, photo=photo, beside=photos[other], seed=(seed, number)) -> Rgb:
                return COPIES[kind](photo, beside, np.random.default_rng(seed))

            wanted = (ids[number], ids[other]) if kind == "collage" else (ids[number],)
            yield Asked(kind, make, wanted if ids[number] else ())


def collages(photos: list[Rgb], ids: list[str], strangers: list[Rgb]) -> Iterator[Asked]:
    """Yield photographs beside others of the archive, beside strangers, and one within another."""
    for name, (count, columns) in COLLAGES.items():
        for gutter, pixels in GUTTERS.items():
            for first in range(len(photos)):
                places = [(first + 3 * n) % len(photos) for n in range(count)]
                beside = [strangers[(first + n) % len(strangers)] for n in range(count)]
                beside[first % count] = photos[first]
                made = partial(collage_of, [photos[n] for n in places], columns, pixels)
                yield Asked(f"{name}{gutter}", made, tuple(ids[n] for n in places))
                made = partial(collage_of, beside, columns, pixels)
                yield Asked(f"{name}{gutter}, one", made, (ids[first],))
    for first, photo in enumerate(photos):
        other = (first + 1) % len(photos)
        for kind, outer, wanted in (
            ("within a stranger", strangers[first % len(strangers)], (ids[first],)),
            ("within another", photos[other], (ids[first], ids[other])),
        ):

            def make(kind=kind, photo=photo, outer=outer, first=first) -> Rgb:
                return within(photo, outer, np.random.default_rng([4, first, len(kind)]))[0]

            yield Asked(kind, make, wanted)
    yield from copies(photos, ids, ["crop to a third"], 5)


def drawn(count: int, kinds: Iterable[str], photos: list[Rgb], seed: int) -> Iterator[Asked]:
    """Yield generated pages, charts and the like."""
    for kind in kinds:
        for number in range(count):
            photo = photos[number % len(photos)]

            def make(kind=kind, photo=photo, seed=(seed, number)) -> Rgb:
                return STRANGERS[kind](np.random.default_rng(seed), photo)

            yield Asked(kind, make, (f"{kind} {number}.png",))


def true_copies(asked: Iterable[Asked]) -> Iterator[Asked]:
    """Yield edited copies of generated pictures."""
    for number, each in enumerate(asked):
        for name in ("JPEG 55 at .7", "cropped"):

            def make(edit=DOCUMENT_COPIES[name], page=each.make, number=number) -> Rgb:
                picture = page()
                return edit(picture, picture, np.random.default_rng(number))

            yield Asked(each.kind, make, each.wanted)


def make_archive(options, photos: list[Path], pages: list[Asked], others, folder: Path):
    """Make the archive, or open the one that an earlier run made.

    Return it, the photographs as they are out in the world, and their ids.
    """
    import homing

    whole = folder / "archive.json"
    if not whole.exists():
        for made in ("archive", "released", "pages"):
            shutil.rmtree(folder / made, ignore_errors=True)
        archive = homing.create(folder / "archive")
        if options.release:
            report = archive.release(photos, out=folder / "released")
            files = {row.id: str(archive.path / row.file) for row in archive.entries() if row.file}
        else:
            report = archive.add(photos)
            files = {outcome.id: outcome.source for outcome in report}
        require(not report.failures, f"not all were recorded: {report}")
        ids = {Path(outcome.source): outcome.id for outcome in report}
        drawings = folder / "pages"
        drawings.mkdir()
        for page in pages:
            page.make().save(drawings / page.wanted[0], compress_level=1)
        archive.add([drawings, *others])
        whole.write_text(json.dumps([(ids[path], files[ids[path]]) for path in photos]))
    names, files = zip(*json.loads(whole.read_text()), strict=True)
    return homing.open(folder / "archive"), read(map(Path, files)), list(names)


def print_copies(answers: list[Answer]) -> tuple[float, float]:
    """Print how many copies are called, by kind; return the mean of the kinds, and of collages."""
    print(f"\n{'copies':20} {'called':>7} {'left or only one first':>24} {'pictures called':>16}")
    called: dict[str, list[bool]] = {}
    for kind in dict.fromkeys(answer.kind for answer in answers):
        some = [answer for answer in answers if answer.kind == kind]
        called[kind] = [each.right for each in some]
        first = [each.right and each.hits[0].id == each.wanted[0] for each in some]
        every = [name in each.copies for each in some for name in each.wanted]
        print(
            f"{kind:20} {np.mean(called[kind]):7.3f} {np.mean(first):24.3f} {np.mean(every):16.3f}"
        )
    rest = [np.mean(shares) for kind, shares in called.items() if kind != "collage"]
    return float(np.mean(rest)), float(np.mean(called["collage"]))


def print_collages(answers: list[Answer]) -> None:
    """Print how many of the pictures of collages are called, and how many others."""
    print(f"\n{'collages':24} {'any called':>10} {'pictures called':>16} {'others called':>14}")
    for kind in dict.fromkeys(answer.kind for answer in answers):
        some = [answer for answer in answers if answer.kind == kind]
        found = [name in each.copies for each in some for name in each.wanted]
        wrong = sum(name not in each.wanted for each in some for name in each.copies)
        some_found = np.mean([each.right for each in some])
        print(f"{kind:24} {some_found:10.3f} {np.mean(found):16.3f} {wrong:14}")


def print_strangers(answers: list[Answer]) -> int:
    """Print which strangers are called copies; return how many."""
    false = Counter(answer.kind for answer in answers if answer.copies)
    for kind in dict.fromkeys(answer.kind for answer in answers):
        some = [answer for answer in answers if answer.kind == kind]
        parts = sum(any(hit.verdict == "part" for hit in each.hits) for each in some)
        shared = f", {parts} said to share a part" if parts else ""
        print(f"{kind:20} {false[kind]} of {len(some)} called copies{shared}")
    return false.total()


def print_pages(answers: list[Answer]) -> float:
    """Print what is said of true copies of pages; return the share that is called."""
    names = ("copy", "undecided", "none", "not found")
    print(f"\n{'copies of pages':20} " + " ".join(f"{name:>9}" for name in names))
    for kind in dict.fromkeys(answer.kind for answer in answers):
        counts = Counter(each.verdict for each in answers if each.kind == kind)
        shares = (counts[name] / counts.total() for name in names)
        print(f"{kind:20} " + " ".join(f"{share:9.3f}" for share in shares))
    return float(np.mean([answer.verdict == "copy" for answer in answers]))


def time_searches(archive, name: str, folder: Path, rounds: int) -> list[bool]:
    """Print how long searches of files take over those without comparison; return what is met."""
    files = sorted(folder.iterdir())
    ratios, seconds = [], np.zeros(2)
    for number, file in enumerate([*files[:2], *files]):
        took = np.zeros(2)
        for way in (0, 1) if number % 2 else (1, 0):
            start = time.perf_counter()
            archive.search(file, confirm=bool(way))
            took[way] = time.perf_counter() - start
        if number > 1:  # the first ones warm up
            ratios.append(took[1] / took[0])
            seconds += took
    print(f"{name}, one at a time: mean over mean {seconds[1] / seconds[0]:.2f}")
    batches = compare(
        lambda: list(archive.search_each([folder])),
        lambda: list(archive.search_each([folder], confirm=False)),
        rounds=rounds,
    )
    print(f"{name}, in batches: {batches.format_line(len(files), 'picture')}")
    single = statistics.median(ratios)
    return [
        check_target(f"{name}, one at a time", single, at_most=2.5),
        check_target(f"{name}, in batches", batches.ratio, at_most=1.8),
    ]


def timed(archive, asked: dict[str, list[Asked]], folder: Path, rounds: int):
    """Time the searches of copies and of strangers."""
    met = []
    for name, each in asked.items():
        place = folder / f"timed {name}"
        place.mkdir(exist_ok=True)
        for number, one in enumerate(each):
            one.make().save(place / f"{number:04}.jpg", quality=90)
        met += time_searches(archive, name, place, rounds)
    return met


def main() -> int:
    """Make the archive, ask, and print what is said."""
    parser = make_parser(__doc__)
    parser.add_argument("--count", type=int, default=30, help="photographs copied")
    parser.add_argument("--strangers", type=Path, help="folder; default: further ones of PHOTOS")
    parser.add_argument("--stranger-count", type=int, default=25, help="of these, in 12 kinds")
    parser.add_argument("--background", type=Path, help="folder; default: further ones of PHOTOS")
    parser.add_argument("--others", type=int, default=500, help="photographs of the background")
    parser.add_argument("--pages", type=int, default=6, help="generated pages of each kind")
    parser.add_argument("--release", action="store_true", help="release the photographs")
    parser.add_argument("--collages", action="store_true", help="collages of all kinds as well")
    parser.add_argument("--time", action="store_true", help="times as well")
    parser.add_argument("--rounds", type=int, default=5, help="of the times in batches")
    options = parser.parse_args()
    prepare_process(options.threads)
    from _finding import cache_key

    paths = picture_paths(options.photos, None)
    photos, rest = paths[: options.count], paths[options.count :]
    theirs = picture_paths([options.strangers], None) if options.strangers else rest
    theirs, rest = theirs[: options.stranger_count], rest[options.stranger_count :]
    require(bool(theirs), "there are no photographs left to be strangers")
    others = rest[2 * options.pages :]
    if options.background:
        others = picture_paths([options.background], None)
    met = []
    asked_of = (photos, theirs, others[: options.others], options.pages, options.release)
    with working_folder(options.work) as work:
        folder = work / cache_key(*asked_of, sources=DECIDING)
        folder.mkdir(exist_ok=True)
        strangers = read(theirs)
        inner = read(rest[: 2 * options.pages])  # photographs in frames
        pages = list(drawn(options.pages, NO_COPIES, inner[: options.pages], 6))
        archive, seen, ids = make_archive(options, photos, pages, others[: options.others], folder)
        describe_setup(archive=f"{len(archive)} entries, {len(photos)} of them copied")
        mean, collage = print_copies(
            ask(archive, copies(seen, ids, (*KINDS, "collage"), 1), folder / "copies")
        )
        met.append(check_target("mean of the kinds but collage", mean, at_least=0.97))
        met.append(check_target("collage", collage, at_least=0.85))
        if options.collages:
            print_collages(ask(archive, collages(seen, ids, strangers), folder / "collages"))
        print("\nstrangers")
        none = [""] * len(strangers)
        asked = copies(strangers, none, (*KINDS, "collage"), 2)
        false = print_strangers(ask(archive, asked, folder / "strangers"))
        met.append(check_target("strangers called copies", false, at_most=0))
        print("\nother pages of the same designs")
        asked = drawn(options.pages, NO_COPIES, inner[options.pages :], 7)
        false = print_strangers(ask(archive, asked, folder / "no copies"))
        met.append(check_target("other pages called copies", false, at_most=1))
        asked = true_copies(page for page in pages if page.kind in TRUE_COPIES)
        share = print_pages(ask(archive, asked, folder / "true copies"))
        met.append(check_target("copies of pages called", share, at_least=0.9))
        if options.time:
            asked = {
                "strangers": list(copies(strangers, none, ["shared"], 2)),
                "copies": list(copies(seen, ids, (*KINDS[::3], "collage"), 1)),
            }
            print()
            met += timed(archive, asked, folder, options.rounds)
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
