"""Attacks on an archive: hiding published pictures from it, and forging copies of its entries.

Half of PHOTOS are released into an archive together with the added background; the archive is
calibrated. Adversaries who know nothing, the descriptor, or also the codebook then attack the
released files, which are searched for. The other half are not in the archive; each is moved towards
its most similar entry, and must not be called a copy of it.
"""

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from _common import (
    describe_setup,
    make_parser,
    picture_paths,
    prepare_process,
    require,
    working_folder,
)

from homing.options import Activation

COLUMNS = ("PSNR mean", "similarity", "1 probe", "automatic", "exact", "called", "and confirmed")


@dataclass(frozen=True)
class Suspects:
    """Files made by an adversary, and the entry that each is a copy of or imitates."""

    files: Sequence[Path]
    entries: object  # array (n,) of indices into the base
    decibels: float  # mean PSNR against their sources


@dataclass(frozen=True)
class Base:
    """An archive and its entries."""

    archive: object  # homing.Archive
    ids: object  # array (m,), object
    vectors: object  # array (m, D), float32
    folders: Sequence[Path]  # of the entries' pictures


def main() -> int:
    """Attack, search, and print two tables."""
    options = _options()
    prepare_process(options.threads)
    photos = picture_paths(options.photos, 2 * options.pictures)
    ours, others = photos[::2], photos[1::2]
    describe_setup(
        released=len(ours),
        others=len(others),
        background=options.background_pictures,
        codebook=options.codebook,
        psnr=options.psnr,
        budgets=options.budgets,
        seed=options.seed,
    )
    with working_folder(options.work) as folder:
        base, released = _make_base(options, ours, folder)
        print(f"entries: {len(base.ids)}; {_describe_calibration(base)}")
        _print_table("ours", _hiding_cases(options, base, released, folder), base)
        _print_table("others", _forging_cases(options, base, others, folder), base)
    print(
        "\nsimilarity: median similarity to the entry; 1 probe, automatic, exact: share of files "
        "for which that entry is first, re-ranked; called: share called a copy of it at the "
        "default rate among the five best hits; and confirmed: the same with --confirm"
    )
    return 0


def _options():
    parser = make_parser(__doc__)
    parser.add_argument("--background", type=Path, required=True, help="folder of other pictures")
    parser.add_argument(
        "--pictures", type=int, default=40, help="pictures released; as many others are forged"
    )
    parser.add_argument("--background-pictures", type=int, default=3000)
    parser.add_argument("--codebook", default="IVF256,PQ8x8", help="a bundled one, or a file")
    parser.add_argument("--psnr", type=float, default=42.0, help="PSNR of the releases, dB")
    parser.add_argument(
        "--budgets", type=float, nargs="+", default=[42.0, 36.0], help="PSNR of the attacks, dB"
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _make_base(options, ours: Sequence[Path], folder: Path):
    """Make the archive; return it with the released files and their indices in it."""
    import numpy as np

    import homing

    archive = homing.create(folder / "archive", codebook=options.codebook)
    background = picture_paths([options.background], options.background_pictures)
    require(not archive.add(background).failures, "a background picture cannot be read")
    report = archive.release(
        ours, out=folder / "released", psnr=options.psnr, seed=options.seed, format="png"
    )
    require(report.count("released") == len(ours), f"not all were released: {report}")
    rows = list(archive._table.rows(with_vectors=True))
    ids = np.array([row.id for row in rows], dtype=object)
    vectors = np.stack([row.vector for row in rows]).astype(np.float32)
    base = Base(archive, ids, vectors, sorted({path.parent for path in background}))
    places = np.array([int(np.flatnonzero(ids == outcome.id)[0]) for outcome in report])
    return base, Suspects([Path(outcome.file) for outcome in report], places, np.inf)


def _describe_calibration(base: Base) -> str:
    found = base.archive._calibration()
    require(found is not None, "the archive is not calibrated: increase --background-pictures")
    return f"called a copy from a similarity of {found.tails['upright'].similarity(1e-4):.3f} on"


def _hiding_cases(options, base: Base, released: Suspects, folder: Path):
    """Yield, for each attack, its name and the files that the archive must find."""
    from homing.activation import find_method
    from homing.bench.questions.adversary import WASHES, aim_elsewhere
    from homing.edits import make_edit

    yield "as released", released
    for wash in (*WASHES, make_edit("made grey", _grey)):
        yield f"nothing: {wash.name}", _apply_wash(wash, released, folder)
    method = _with_visible_changes(find_method(Activation.method))
    attacks = {
        "descriptor: away from itself": replace(method, objective=_push_away),
        "all: into the next cell": aim_elsewhere(method),
    }
    for label, attack in attacks.items():
        yield from _attack(options, label, attack, base, released, folder)


def _grey(image, _generator):
    """Remove colour: in smooth regions releases change colour more than luminance."""
    return image.convert("L").convert("RGB")


def _forging_cases(options, base: Base, others: Sequence[Path], folder: Path):
    """Yield, for each attack, its name and the files that must not be called copies."""
    import numpy as np

    from homing.activation import find_method
    from homing.bench.questions.adversary import aim_elsewhere

    descriptor = base.archive.descriptor
    nearest = np.argmax(descriptor.describe(others) @ base.vectors.T, axis=1)
    untouched = Suspects(others, nearest, np.inf)
    yield "as they are", untouched
    method = _with_visible_changes(find_method(Activation.method))
    most_like = functools.partial(_most_like, base.vectors)
    attacks = {
        "descriptor: towards an entry": replace(
            method, objective=functools.partial(_pull_towards, most_like)
        ),
        "all: as if it were that entry": aim_elsewhere(method, most_like),
    }
    for label, attack in attacks.items():
        yield from _attack(options, label, attack, base, untouched, folder)


def _with_visible_changes(method):
    """Return a method whose changes may be visible."""
    from homing.activation.simulated_edits.edits import NO_EDITS

    return replace(
        method,
        settings=replace(method.settings, shrink=1.0),
        masking=replace(method.masking, luminance_alone=False, unseen_gain=None),
        least_visible=None,
        lookahead=NO_EDITS,
    )


def _push_away(targets, _settings, device):
    """Make the objective that moves away from the picture itself."""
    return _similarity_objective(targets.vectors, device, sign=1)


def _pull_towards(find_goals: Callable, targets, _settings, device):
    """Make the objective that moves towards the vectors of `find_goals(codebook, vectors)`."""
    return _similarity_objective(find_goals(targets.codebook, targets.vectors), device, sign=-1)


def _most_like(entries, _codebook, vectors):
    """Return the entries most similar to the vectors."""
    import numpy as np

    return entries[np.argmax(vectors @ entries.T, axis=1)]


def _similarity_objective(targets, device, *, sign: int):
    import torch

    wanted = torch.tensor(targets, device=device)

    def objective(features, _change):
        views = features.reshape(-1, *wanted.shape)  # (views, pictures, D)
        return sign * torch.cosine_similarity(views, wanted[None], dim=2).mean(dim=0)

    return objective


def _attack(options, label: str, method, base: Base, suspects: Suspects, folder: Path):
    import numpy as np

    from homing.activation import Activated, Activator

    for budget in options.budgets:
        activator = Activator(
            base.archive.descriptor,
            base.archive.codebook,
            method,
            psnr=budget,
            seed=options.seed,
            format="png",
        )
        done = [each for each in activator.run(suspects.files) if isinstance(each, Activated)]
        require(len(done) == len(suspects.files), "a picture cannot be attacked")
        files = _write_files([each.data for each in done], folder / f"{label} {budget:g}")
        mean_psnr = float(np.mean([each.psnr for each in done]))
        yield f"{label}, {budget:g} dB", Suspects(files, suspects.entries, mean_psnr)


def _apply_wash(wash, released: Suspects, folder: Path) -> Suspects:
    import io

    import numpy as np
    from PIL import Image

    from homing.images import psnr

    washed, decibels = [], []
    for file in released.files:
        before = Image.open(file).convert("RGB")
        after = wash.apply(before, np.random.default_rng(0))
        decibels.append(psnr(np.asarray(before), np.asarray(after), peak=255))
        buffer = io.BytesIO()
        after.save(buffer, "PNG")
        washed.append(buffer.getvalue())
    files = _write_files(washed, folder / wash.name)
    return Suspects(files, released.entries, float(np.mean(decibels)))


def _write_files(pictures: Sequence[bytes], folder: Path) -> list[Path]:
    folder.mkdir(parents=True)
    files = [folder / f"{number:04}.png" for number in range(len(pictures))]
    for file, data in zip(files, pictures, strict=True):
        file.write_bytes(data)
    return files


def _print_table(title: str, cases, base: Base) -> None:
    print(f"\n| {title} | " + " | ".join(COLUMNS) + " |\n" + "|---" * (1 + len(COLUMNS)) + "|")
    for label, suspects in cases:
        print(f"| {label} | " + " | ".join(_figures(base, suspects)) + " |", flush=True)


def _figures(base: Base, suspects: Suspects) -> list[str]:
    import numpy as np

    archive, wanted = base.archive, base.ids[suspects.entries]
    vectors = archive.descriptor.describe(suspects.files)
    similarity = (vectors * base.vectors[suspects.entries]).sum(axis=1)
    first = [archive.search_vectors(vectors, k=1, probes=p).ids[:, 0] for p in (1, None)]
    first.append(base.ids[np.argmax(vectors @ base.vectors.T, axis=1)])
    shares = [np.mean(found == wanted) for found in first]
    for confirm in (False, True):
        results = archive.search_each(suspects.files, k=5, confirm=confirm, files=base.folders)
        called = [
            any(hit.id == name and hit.is_copy for hit in result.hits or ())
            for name, result in zip(wanted, results, strict=True)
        ]
        shares.append(np.mean(called))
    decibels = f"{suspects.decibels:.1f}" if np.isfinite(suspects.decibels) else ""
    return [decibels, f"{np.median(similarity):.2f}", *(f"{share:.2f}" for share in shares)]


if __name__ == "__main__":
    sys.exit(main())
