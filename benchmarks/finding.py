"""Gains of re-ranking, views, probes and local features, by searches of real archives.

Some of PHOTOS are added as they are to one archive and released into another, among photographs of
the background and crops of these; the others are never recorded, and their copies are queries
without a match. All results are stored in the folder of --work: after an interruption the same
command goes on.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from _common import describe_setup, parser, prepare_process, require, working_folder

ASKED = {
    "codes only": {"probes": 1, "rerank": 0},
    "+ re-ranking": {"probes": 1},
    "+ turned": {"probes": 1, "views": "turned"},
    "+ all": {"probes": 1, "views": "all"},
    "+ probes auto": {"views": "all"},
    "+ confirm": {"views": "all", "confirm": True},
    "default": {},
    "default + turned": {"views": "turned"},
}
TOLD = [name for name, asked in ASKED.items() if "confirm" not in asked]  # by similarity
_VIEWS = {"upright": 1, "turned": 8, "all": None}  # of the views of "all", how many are these
SHOWN = ("identity", "rotation 90", "meme", "screenshot")
FALSE_ALARMS = 1e-3
_K = 5  # hits: what --confirm compares


@dataclass(frozen=True)
class Answers:
    """Answers to queries, as arrays; the first hit of each counts.

    Attributes
    ----------
    right : bool
        Whether it is the entry wanted.
    score : float
        What hits are ordered by, of all queries; −inf where there are none.
    copy : bool
        Whether it is called a copy at the default rate.
    """

    right: object
    score: object
    copy: object


def main() -> int:
    """Measure and print tables."""
    options = _options()
    prepare_process(options.threads)
    from _finding import calibrated, make_states

    from homing.bench.workers import open_workers
    from homing.edits import SCREENSHOT, paper_edits

    ours, strangers = _divided(options)
    describe_setup(
        recorded=len(ours), never_recorded=len(strangers), base=options.base_size,
        method=options.method, psnr=options.psnr, codebook=options.codebook, seed=options.seed,
    )  # fmt: skip
    edits = (*paper_edits(), SCREENSHOT)
    with working_folder(options.work) as folder, open_workers(options.workers) as workers:
        states = make_states(ours, options, workers, folder)
        for name, state in states.items():
            print(f"{name}: {len(state.archive)} entries", flush=True)
        _check(states, edits[-3])

        def answers(known, ways):
            return {
                name: _answered(state, strangers, edits, ways, options, workers, folder)
                for name, state in known.items()
            }

        found = answers(states, ASKED)
        told = answers(calibrated(states, ours, options, folder), TOLD)
        times = {name: _times(state, strangers, edits, options) for name, state in states.items()}
    _print(found, told, times, edits)
    return 0


def _options():
    made = parser(__doc__)
    made.add_argument("--background", type=Path, required=True, help="folder of other pictures")
    made.add_argument("--released", type=int, default=400, help="of PHOTOS; drawn by the seed")
    made.add_argument("--others", type=int, help="of PHOTOS, never recorded; default: the rest")
    made.add_argument("--base-size", type=int, default=100_000, help="background and its crops")
    made.add_argument("--method", default="paper", help="of activation")
    made.add_argument("--codebook", default="IVF1024,PQ8x8", help="a bundled one, or a file")
    made.add_argument("--psnr", type=float, default=42.0)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--searched", type=int, help="of those recorded; default: all of them")
    made.add_argument("--without", type=int, default=150, help="queries without a match an edit")
    made.add_argument(
        "--confirm-every", type=int, default=8, help="of copies, one in so many is confirmed"
    )
    made.add_argument("--times", type=int, default=30, help="copies that are timed")
    made.add_argument("--workers", type=int, help="processes that make copies")
    return made.parse_args()


def _divided(options):
    import numpy as np

    from homing.images import find_pictures

    photos = list(find_pictures(options.photos))
    order = np.random.default_rng([options.seed, 9]).permutation(len(photos))
    count, others = options.released, options.others
    last = None if others is None else count + others
    require(len(photos) > count, f"{len(photos)} pictures are too few to release {count} of them")
    parts = order[:count], order[count:last]
    return [[photos[place] for place in part.tolist()] for part in parts]


def _asked(name: str):
    from homing.options import SearchOptions

    return SearchOptions(k=_K, **ASKED[name])


def _check(states: Mapping[str, object], edit) -> None:
    """Check that stored queries give the answers of a search of the picture."""
    from _finding import queries_of

    from homing.archive.query.queries import DescribedQuery, describe_query
    from homing.options import SearchOptions

    for state in states.values():
        archive = state.archive
        (chunk,) = queries_of(state.files[:2], state.ids[:2], edit, 0, 0)
        for query, name in ((query, name) for query in chunk for name in ASKED):
            picture = query.picture()
            looked = describe_query(archive.descriptor, picture, SearchOptions(views="all"))
            views = _VIEWS[_asked(name).views]
            cut = DescribedQuery(looked.views[:views], looked.vectors[:views], picture)
            (ours,) = archive.answer([cut], _asked(name))
            theirs = archive.search(picture, k=_K, **ASKED[name])
            same = [hit.id for hit in ours][:1] == [hit.id for hit in theirs][:1]
            require(same, f"{name}: a search of the picture finds something else")


def _answered(state, strangers, edits, ways, options, workers, folder: Path):
    """For each way to ask and each edit: answers to copies, and to copies without a match."""
    from _finding import queries_of

    files = [found.path for found in strangers]
    found = {name: {"copies": {}, "others": {}} for name in ways}
    start = time.monotonic()
    for place, edit in enumerate(edits):
        # Others at each edit, and together all of them.
        first = place * options.without % len(files)
        part = (files[first:] + files[:first])[: options.without]
        some = slice(options.searched)
        chunks = {
            "copies": queries_of(state.files[some], state.ids[some], edit, place, options.seed),
        }
        if edit.in_mean:
            chunks["others"] = queries_of(part, [""] * len(part), edit, place, options.seed)
        for kind, each_kind in chunks.items():
            answers = [_chunk(state, chunk, ways, options, workers, folder) for chunk in each_kind]
            for name in ways:
                found[name][kind][edit.name] = _together([each[name] for each in answers])
        print(
            f"{state.archive.path.name}, {edit.name}: {time.monotonic() - start:.0f} s", flush=True
        )
    return found


def _chunk(state, chunk: Sequence, ways, options, workers, folder: Path):
    """Answers to a chunk's queries, by each way to ask."""
    from _finding import kept, known_by, looked_at

    from homing.archive.query.queries import DescribedQuery

    archive = state.archive
    made = [(query.path, query.path.stat().st_mtime_ns, query.edit.name) for query in chunk]
    about = (archive.descriptor.fingerprint, chunk[0].seed, made)
    views = known_by(*about, sources=("images", "edits", "descriptors", "search"))
    answers = known_by(
        views, archive.path.name, archive._table.version, options.confirm_every,
        sources=("search", "archive", "evidence", "codebooks"),
    )  # fmt: skip
    looked = looked_at(chunk, folder / "queries" / f"{views}.npz", archive.descriptor, workers)

    def asked(name: str):
        asked = _asked(name)
        some = list(zip(chunk, looked, strict=True))[
            :: options.confirm_every if asked.confirm else 1
        ]
        seen = [
            DescribedQuery(
                views.views[: _VIEWS[asked.views]],
                views.vectors[: _VIEWS[asked.views]],
                query.picture() if asked.confirm else None,
            )
            for query, views in some
            if views is not None
        ]
        hits = iter(archive.answer(seen, asked) if seen else [])
        answers = [() if views is None else next(hits) for _, views in some]
        wanted = [query.wanted for query, _ in some]
        return _as_arrays(wanted, answers, by_code=name == "codes only")

    place = folder / "answers"
    return {
        name: Answers(**kept(place / f"{answers}-{number}.npz", lambda name=name: asked(name)))
        for number, name in enumerate(ASKED)
        if name in ways
    }


def _as_arrays(wanted: Sequence[str], answers: Sequence, *, by_code: bool):
    import numpy as np

    firsts = [hits[0] if hits else None for hits in answers]
    return {
        "right": np.array(
            [hit is not None and hit.id == name for hit, name in zip(firsts, wanted, strict=True)],
            dtype=bool,
        ),
        "score": np.array([_score(hit, by_code=by_code) for hit in firsts], dtype=float),
        "copy": np.array([bool(hit and hit.is_copy) for hit in firsts], dtype=bool),
    }


def _score(hit, *, by_code: bool) -> float:
    """Return the sort key of hits: the result of local features, then similarity."""
    if hit is None:
        return float("-inf")
    said = {True: 10.0, None: 0.0, False: -10.0}[hit.confirmed]
    return said + (-hit.code_distance if by_code else hit.similarity)


def _times(state, strangers, edits, options) -> dict[str, tuple[float, float]]:
    """Milliseconds a search of a picture in memory: of copies, and of those without a match."""
    import numpy as np
    from _finding import queries_of

    found: dict[str, list[list[float]]] = {name: [[], []] for name in ASKED}
    files = [photo.path for photo in strangers]
    for number in range(options.times):
        edit = edits[number % len(edits)]
        place = number % len(state.files), number % len(files)
        for kind, (file, name) in enumerate(
            ((state.files[place[0]], state.ids[place[0]]), (files[place[1]], ""))
        ):
            ((query,),) = queries_of([file], [name], edit, number, options.seed)
            picture = query.picture()
            for asked, times in found.items():
                start = time.perf_counter()
                state.archive.search(picture, k=_K, **ASKED[asked])
                times[kind].append(time.perf_counter() - start)
    return {
        name: tuple(1e3 * float(np.mean(kind[1:] or [0])) for kind in times)
        for name, times in found.items()
    }


def _print(found, told, times, edits) -> None:
    import numpy as np

    from homing.bench.statistics.measures import recall_at_false_alarms

    counted = [edit.name for edit in edits if edit.in_mean]
    print(
        f"\n| archive | asked | mean of {len(counted)} | {' | '.join(SHOWN)} | "
        f"recall at {FALSE_ALARMS:g} | called copies: right, wrong, others "
        "| the same, calibrated on pictures | ms a copy | other |"
    )
    print("|---" * (8 + len(SHOWN)) + "|")
    for state, answers in found.items():
        for name, kinds in answers.items():
            copies = kinds["copies"]
            first = {edit: copies[edit].right.mean() for edit in copies}
            ours, strange = _counted(kinds, counted)
            recall = recall_at_false_alarms(ours.score, ours.right, strange.score, FALSE_ALARMS)
            other = told.get(state, {}).get(name)
            print(
                f"| {state} | {name} | {np.mean([first[edit] for edit in counted]):.3f} | "
                + " | ".join(f"{first[edit]:.3f}" for edit in SHOWN)
                + f" | {recall:.3f} | {_called(kinds, counted)}"
                + f" | {_called(other, counted) if other else '-'}"
                + f" | {times[state][name][0]:.0f} | {times[state][name][1]:.0f} |"
            )
    print(f"\nR@1 by edit; queries without a match: {len(strange.score)} (confirmed ones fewer)")
    print(
        "\n| edit | " + " | ".join(f"{state}: {name}" for state in found for name in ASKED) + " |"
    )
    print("|---" * (1 + len(found) * len(ASKED)) + "|")
    for edit in edits:
        values = [
            found[state][name]["copies"][edit.name].right.mean()
            for state in found
            for name in ASKED
        ]
        print(f"| {edit.name} | " + " | ".join(f"{value:.3f}" for value in values) + " |")


def _counted(kinds, counted: Sequence[str]) -> tuple[Answers, Answers]:
    """Answers to copies under the edits that count, and to all without a match."""
    ours = _together([kinds["copies"][edit] for edit in counted])
    return ours, _together(list(kinds["others"].values()))


def _called(kinds, counted: Sequence[str]) -> str:
    """Shares called copies: of copies, and of the right entry; of another; of those without any."""
    ours, strange = _counted(kinds, counted)
    shares = (ours.copy & ours.right).mean(), (ours.copy & ~ours.right).mean(), strange.copy.mean()
    return ", ".join(f"{share:.4f}" for share in shares)


def _together(parts: Sequence[Answers]) -> Answers:
    import numpy as np

    return Answers(
        *(
            np.concatenate([getattr(part, key) for part in parts])
            for key in ("right", "score", "copy")
        )
    )


if __name__ == "__main__":
    sys.exit(main())
