"""Attacks on an archive: published pictures hidden from it, and strangers passed off as its own.

Half of PHOTOS are released into an archive, to which the background is added; it calibrates itself.
Adversaries who know nothing, the descriptor, or the codebook too then attack their files, which
are searched for. The other half, which the archive does not hold, are moved towards the entry that
is most like each of them, and must not be taken for copies of it.
"""

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from _common import describe_setup, parser, picture_paths, prepare_process, require, working_folder

from homing.options import Activation

COLUMNS = ("PSNR mean", "similarity", "1 probe", "automatic", "exact", "called", "and confirmed")


@dataclass(frozen=True)
class Suspects:
    """Files that an adversary made, and the entry that each is or claims to be.

    Attributes
    ----------
    files : sequence of Path
    entries : array (n,), of places in the base
    decibels : float
        Mean PSNR against what they were made of.
    """

    files: Sequence[Path]
    entries: object
    decibels: float


@dataclass(frozen=True)
class Base:
    """An archive and its entries.

    Attributes
    ----------
    archive : homing.Archive
    ids : array (m,), object
    vectors : array (m, D), float32
    folders : sequence of Path
        Where pictures of entries lie.
    """

    archive: object
    ids: object
    vectors: object
    folders: Sequence[Path]


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
        base, released = _base(options, ours, folder)
        print(f"entries: {len(base.ids)}; {_calibration(base)}")
        _table("ours", _hidden(options, base, released, folder), base)
        _table("others", _claimed(options, base, others, folder), base)
    print(
        "\nsimilarity: median, to the entry; 1 probe, automatic, exact: share of which that entry "
        "comes first, re-ranked; called: taken for a copy of it at the default rate, of the five "
        "best hits; and confirmed: after the details of both pictures were compared"
    )
    return 0


def _options():
    made = parser(__doc__)
    made.add_argument("--background", type=Path, required=True, help="folder of other pictures")
    made.add_argument("--pictures", type=int, default=40, help="released, and as many others")
    made.add_argument("--background-pictures", type=int, default=3000)
    made.add_argument("--codebook", default="IVF256,PQ8x8", help="a bundled one, or a file")
    made.add_argument("--psnr", type=float, default=42.0, help="of the releases")
    made.add_argument("--budgets", type=float, nargs="+", default=[42.0, 36.0], help="of attacks")
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


def _base(options, ours: Sequence[Path], folder: Path):
    """Make the archive; also give the released files and their places in it."""
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


def _calibration(base: Base) -> str:
    found = base.archive._calibration()
    require(found is not None, "the archive is not calibrated: give it more background")
    return f"a copy from {found.tails['upright'].similarity(1e-4):.3f} on"


def _hidden(options, base: Base, released: Suspects, folder: Path):
    """Yield the pictures that the archive must find, under each attack."""
    from homing.activation import find_method
    from homing.bench.questions.adversary import WASHES, elsewhere
    from homing.edits import make_edit

    yield "as released", released
    for wash in (*WASHES, make_edit("made grey", _grey)):
        yield f"nothing: {wash.name}", _washed(wash, released, folder)
    method = _bold(find_method(Activation.method))
    attacks = {
        "descriptor: away from itself": replace(method, objective=_away),
        "all: into the next cell": elsewhere(method),
    }
    for label, attack in attacks.items():
        yield from _attacked(options, label, attack, base, released, folder)


def _grey(image, _generator):
    """In calm places releases change colour more than luminance."""
    return image.convert("L").convert("RGB")


def _claimed(options, base: Base, others: Sequence[Path], folder: Path):
    """Yield the pictures that the archive must not call copies."""
    import numpy as np

    from homing.activation import find_method
    from homing.bench.questions.adversary import elsewhere

    descriptor = base.archive.descriptor
    nearest = np.argmax(descriptor.describe(others) @ base.vectors.T, axis=1)
    untouched = Suspects(others, nearest, np.inf)
    yield "as they are", untouched
    method = _bold(find_method(Activation.method))
    most_like = functools.partial(_most_like, base.vectors)
    attacks = {
        "descriptor: towards an entry": replace(
            method, objective=functools.partial(_towards, most_like)
        ),
        "all: as if it were that entry": elsewhere(method, most_like),
    }
    for label, attack in attacks.items():
        yield from _attacked(options, label, attack, base, untouched, folder)


def _bold(method):
    """Return a method whose changes may be visible."""
    from homing.activation.simulated_edits.looks import NO_EDITS

    return replace(
        method,
        settings=replace(method.settings, ease=1.0),
        masking=replace(method.masking, used=None, luminance=None),
        least_ssim=None,
        foreseen=NO_EDITS,
    )


def _away(_codebook, vectors, _cells, _settings, device):
    """Objective: away from the picture itself."""
    return _nearness(vectors, device, sign=1)


def _towards(where: Callable, codebook, vectors, _cells, _settings, device):
    """Objective: towards another vector."""
    return _nearness(where(codebook, vectors), device, sign=-1)


def _most_like(entries, _codebook, vectors):
    """Return the entries most similar to the vectors."""
    import numpy as np

    return entries[np.argmax(vectors @ entries.T, axis=1)]


def _nearness(targets, device, *, sign: int):
    import torch

    wanted = torch.tensor(targets, device=device)

    def objective(features, _change):
        seen = features.reshape(-1, *wanted.shape)  # looks at each picture
        return sign * torch.cosine_similarity(seen, wanted[None], dim=2).mean(dim=0)

    return objective


def _attacked(options, label: str, method, base: Base, suspects: Suspects, folder: Path):
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
        files = _written([each.data for each in done], folder / f"{label} {budget:g}")
        reached = float(np.mean([each.psnr for each in done]))
        yield f"{label}, {budget:g} dB", Suspects(files, suspects.entries, reached)


def _washed(wash, released: Suspects, folder: Path) -> Suspects:
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
    files = _written(washed, folder / wash.name)
    return Suspects(files, released.entries, float(np.mean(decibels)))


def _written(pictures: Sequence[bytes], folder: Path) -> list[Path]:
    folder.mkdir(parents=True)
    files = [folder / f"{number:04}.png" for number in range(len(pictures))]
    for file, data in zip(files, pictures, strict=True):
        file.write_bytes(data)
    return files


def _table(whose: str, cases, base: Base) -> None:
    print(f"\n| {whose} | " + " | ".join(COLUMNS) + " |\n" + "|---" * (1 + len(COLUMNS)) + "|")
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
