"""Gains of re-ranking, views, probes and local features, by searches of real archives.

Some of PHOTOS are added unmodified to one archive and released into another, among photographs of
the background and their crops; the others are never added, and their copies are queries without a
match. All results are stored in the folder of --work; after an interruption the same command
resumes.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from _common import describe_setup, make_parser, prepare_process, require, working_folder

SEARCHES = {
    "codes only": {"probes": 1, "rerank": 0},
    "+ re-ranking": {"probes": 1},
    "+ turned": {"probes": 1, "views": "turned"},
    "+ all": {"probes": 1, "views": "all"},
    "+ probes auto": {"views": "all"},
    "+ confirm": {"views": "all", "confirm": True},
    "default": {},
    "default + turned": {"views": "turned"},
}
BY_SIMILARITY = [name for name, settings in SEARCHES.items() if "confirm" not in settings]
_VIEWS = {"upright": 1, "turned": 8, "all": None}  # number of leading views of "all"
SHOWN = ("identity", "rotation 90", "meme", "screenshot")
FALSE_ALARMS = 1e-3
_K = 5  # hits compared by --confirm


@dataclass(frozen=True)
class Answers:
    """First hits of queries, as arrays (queries,)."""

    right: object  # bool: the hit is the wanted entry
    score: object  # float: sort key over all queries; −inf without a hit
    copy: object  # bool: called a copy at the default rate


def main() -> int:
    """Measure and print tables."""
    options = _options()
    prepare_process(options.threads)
    from _finding import calibrate_states, make_states

    from homing.bench.context import open_pool
    from homing.edits import SCREENSHOT, paper_edits

    ours, strangers = _divide(options)
    describe_setup(
        recorded=len(ours), never_recorded=len(strangers), base=options.base_size,
        method=options.method, psnr=options.psnr, codebook=options.codebook, seed=options.seed,
    )  # fmt: skip
    edits = (*paper_edits(), SCREENSHOT)
    with working_folder(options.work) as folder, open_pool(options.workers) as workers:
        states = make_states(ours, options, workers, folder)
        for name, state in states.items():
            print(f"{name}: {len(state.archive)} entries", flush=True)
        _check(states, edits[-3])

        def answer_all(states, names):
            return {
                name: _answer_queries(state, strangers, edits, names, options, workers, folder)
                for name, state in states.items()
            }

        found = answer_all(states, SEARCHES)
        calibrated = calibrate_states(states, ours, options, folder)
        recalibrated = answer_all(calibrated, BY_SIMILARITY)
        times = {
            name: _time_searches(state, strangers, edits, options) for name, state in states.items()
        }
    _print_tables(found, recalibrated, times, edits)
    return 0


def _options():
    parser = make_parser(__doc__)
    parser.add_argument("--background", type=Path, required=True, help="folder of other pictures")
    parser.add_argument(
        "--released",
        type=int,
        default=400,
        help="number of PHOTOS added and released; drawn by the seed",
    )
    parser.add_argument(
        "--others", type=int, help="number of PHOTOS never added; default: the rest"
    )
    parser.add_argument(
        "--base-size", type=int, default=100_000, help="distractors: background and its crops"
    )
    parser.add_argument("--method", default="paper", help="of activation")
    parser.add_argument("--codebook", default="IVF1024,PQ8x8", help="a bundled one, or a file")
    parser.add_argument("--psnr", type=float, default=42.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--searched",
        type=int,
        help="number of added photos whose copies are searched for; default: all",
    )
    parser.add_argument(
        "--without", type=int, default=150, help="queries without a match for each edit"
    )
    parser.add_argument("--confirm-every", type=int, default=8, help="confirm every n-th copy")
    parser.add_argument("--times", type=int, default=30, help="copies for which searches are timed")
    parser.add_argument("--workers", type=int, help="processes for making copies")
    return parser.parse_args()


def _divide(options):
    import numpy as np

    from homing.images import find_pictures

    photos = list(find_pictures(options.photos))
    order = np.random.default_rng([options.seed, 9]).permutation(len(photos))
    count, others = options.released, options.others
    last = None if others is None else count + others
    require(len(photos) > count, f"{len(photos)} pictures are too few to release {count} of them")
    parts = order[:count], order[count:last]
    return [[photos[place] for place in part.tolist()] for part in parts]


def _search_options(name: str):
    from homing.options import SearchOptions

    return SearchOptions(k=_K, **SEARCHES[name])


def _check(states: Mapping[str, object], edit) -> None:
    """Check that searches by stored views give the same first hit as searches by picture."""
    from _finding import make_queries

    from homing.archive.query.queries import DescribedQuery, describe_query
    from homing.options import SearchOptions

    for state in states.values():
        archive = state.archive
        (chunk,) = make_queries(state.files[:2], state.ids[:2], edit, 0, 0)
        for query, name in ((query, name) for query in chunk for name in SEARCHES):
            picture = query.picture()
            described = describe_query(archive.descriptor, picture, SearchOptions(views="all"))
            views = _VIEWS[_search_options(name).views]
            cut = DescribedQuery(described.views[:views], described.vectors[:views], picture)
            (ours,) = archive.answer([cut], _search_options(name))
            theirs = archive.search(picture, k=_K, **SEARCHES[name])
            same = [hit.id for hit in ours][:1] == [hit.id for hit in theirs][:1]
            require(same, f"{name}: a search of the picture finds something else")


def _answer_queries(state, strangers, edits, names, options, workers, folder: Path):
    """Return, by search and edit, the answers to copies with and without a match."""
    from _finding import make_queries

    files = [found.path for found in strangers]
    found = {name: {"copies": {}, "others": {}} for name in names}
    start = time.monotonic()
    for place, edit in enumerate(edits):
        # Each edit takes the next strangers, so that all are used.
        first = place * options.without % len(files)
        part = (files[first:] + files[:first])[: options.without]
        some = slice(options.searched)
        chunks = {
            "copies": make_queries(state.files[some], state.ids[some], edit, place, options.seed),
        }
        if edit.in_mean:
            chunks["others"] = make_queries(part, [""] * len(part), edit, place, options.seed)
        for kind, each_kind in chunks.items():
            answers = [
                _answer_chunk(state, chunk, names, options, workers, folder) for chunk in each_kind
            ]
            for name in names:
                found[name][kind][edit.name] = _concatenate([each[name] for each in answers])
        print(
            f"{state.archive.path.name}, {edit.name}: {time.monotonic() - start:.0f} s", flush=True
        )
    return found


def _answer_chunk(state, chunk: Sequence, names, options, workers, folder: Path):
    """Return the answers to a chunk's queries by each search, computed or loaded."""
    from _finding import cache_key, describe_chunk, load_or_make

    from homing.archive.query.queries import DescribedQuery

    archive = state.archive
    made = [(query.path, query.path.stat().st_mtime_ns, query.edit.name) for query in chunk]
    about = (archive.descriptor.fingerprint, chunk[0].seed, made)
    views_key = cache_key(*about, sources=("images", "edits", "descriptors", "search"))
    answers_key = cache_key(
        views_key, archive.path.name, archive._table.version, options.confirm_every,
        sources=("search", "archive", "evidence", "codebooks"),
    )  # fmt: skip
    stored = folder / "queries" / f"{views_key}.npz"
    described = describe_chunk(chunk, stored, archive.descriptor, workers)

    def answer(name: str):
        search = _search_options(name)
        step = options.confirm_every if search.confirm else 1
        chosen = list(zip(chunk, described, strict=True))[::step]
        queries = [
            DescribedQuery(
                views.views[: _VIEWS[search.views]],
                views.vectors[: _VIEWS[search.views]],
                query.picture() if search.confirm else None,
            )
            for query, views in chosen
            if views is not None
        ]
        hits = iter(archive.answer(queries, search) if queries else [])
        answers = [() if views is None else next(hits) for _, views in chosen]
        wanted = [query.wanted for query, _ in chosen]
        return _to_arrays(wanted, answers, by_code=name == "codes only")

    place = folder / "answers"
    return {
        name: Answers(
            **load_or_make(place / f"{answers_key}-{number}.npz", lambda name=name: answer(name))
        )
        for number, name in enumerate(SEARCHES)
        if name in names
    }


def _to_arrays(wanted: Sequence[str], answers: Sequence, *, by_code: bool):
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
    """Return the sort key of a hit: the result of local features, then similarity."""
    if hit is None:
        return float("-inf")
    confirmation = {True: 10.0, None: 0.0, False: -10.0}[hit.confirmed]
    return confirmation + (-hit.code_distance if by_code else hit.similarity)


def _time_searches(state, strangers, edits, options) -> dict[str, tuple[float, float]]:
    """Return the mean milliseconds of a search by picture, of copies with and without a match."""
    import numpy as np
    from _finding import make_queries

    found: dict[str, list[list[float]]] = {name: [[], []] for name in SEARCHES}
    files = [photo.path for photo in strangers]
    for number in range(options.times):
        edit = edits[number % len(edits)]
        place = number % len(state.files), number % len(files)
        for kind, (file, wanted) in enumerate(
            ((state.files[place[0]], state.ids[place[0]]), (files[place[1]], ""))
        ):
            ((query,),) = make_queries([file], [wanted], edit, number, options.seed)
            picture = query.picture()
            for name, times in found.items():
                start = time.perf_counter()
                state.archive.search(picture, k=_K, **SEARCHES[name])
                times[kind].append(time.perf_counter() - start)
    return {
        name: tuple(1e3 * float(np.mean(kind[1:] or [0])) for kind in times)
        for name, times in found.items()
    }


def _print_tables(found, recalibrated, times, edits) -> None:
    import numpy as np

    from homing.bench.statistics.measures import recall_at_false_alarms

    counted = [edit.name for edit in edits if edit.in_mean]
    print(
        f"\n| archive | search | mean of {len(counted)} | {' | '.join(SHOWN)} | "
        f"recall at {FALSE_ALARMS:g} | called copies: right, wrong, others "
        "| the same, calibrated on pictures | ms a copy | other |"
    )
    print("|---" * (8 + len(SHOWN)) + "|")
    for state, answers in found.items():
        for name, kinds in answers.items():
            copies = kinds["copies"]
            first = {edit: copies[edit].right.mean() for edit in copies}
            ours, strange = _split_counted(kinds, counted)
            recall = recall_at_false_alarms(ours.score, ours.right, strange.score, FALSE_ALARMS)
            other = recalibrated.get(state, {}).get(name)
            print(
                f"| {state} | {name} | {np.mean([first[edit] for edit in counted]):.3f} | "
                + " | ".join(f"{first[edit]:.3f}" for edit in SHOWN)
                + f" | {recall:.3f} | {_format_calls(kinds, counted)}"
                + f" | {_format_calls(other, counted) if other else '-'}"
                + f" | {times[state][name][0]:.0f} | {times[state][name][1]:.0f} |"
            )
    print(f"\nR@1 by edit; queries without a match: {len(strange.score)} (confirmed ones fewer)")
    print(
        "\n| edit | "
        + " | ".join(f"{state}: {name}" for state in found for name in SEARCHES)
        + " |"
    )
    print("|---" * (1 + len(found) * len(SEARCHES)) + "|")
    for edit in edits:
        values = [
            found[state][name]["copies"][edit.name].right.mean()
            for state in found
            for name in SEARCHES
        ]
        print(f"| {edit.name} | " + " | ".join(f"{value:.3f}" for value in values) + " |")


def _split_counted(kinds, counted: Sequence[str]) -> tuple[Answers, Answers]:
    """Return the answers to copies under the counted edits, and to all queries without a match."""
    ours = _concatenate([kinds["copies"][edit] for edit in counted])
    return ours, _concatenate(list(kinds["others"].values()))


def _format_calls(kinds, counted: Sequence[str]) -> str:
    """Format the shares called copies: of the right entry, of a wrong one, without a match."""
    ours, strange = _split_counted(kinds, counted)
    shares = (ours.copy & ours.right).mean(), (ours.copy & ~ours.right).mean(), strange.copy.mean()
    return ", ".join(f"{share:.4f}" for share in shares)


def _concatenate(parts: Sequence[Answers]) -> Answers:
    import numpy as np

    return Answers(
        *(
            np.concatenate([getattr(part, key) for part in parts])
            for key in ("right", "score", "copy")
        )
    )


if __name__ == "__main__":
    sys.exit(main())
