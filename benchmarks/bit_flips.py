"""Single-bit flips in every kind of file of an archive and its service: those that `verify` names.

A flip is *named* if a problem has the name of its file, *seen* if there is any problem, or the
archive is refused. It is *silent* if answers change and `verify` says nothing. A process that dies
of a flip, or takes too long over one, counts as *died*.
"""

import json
import random
import select
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from _common import (
    check_target,
    describe_setup,
    make_parser,
    prepare_process,
    require,
    working_folder,
)

_SECONDS = 60.0
_KINDS = {
    "data": "archive/entries.lance/data/*",
    "manifest": "archive/entries.lance/_versions/*.manifest",
    "deletion": "archive/entries.lance/_deletions/*",
    "transaction": "archive/entries.lance/_transactions/*",
    "index": "archive/entries.lance/_indices/*/*",
    "checksums": "archive/checksums/*.json",
    "codebook": "archive/codebook*",
    "previews": "archive/previews/*",
    "decisions": "archive/decisions/*.*",
    "archive.json": "archive/archive.json",
    "calibration": "archive/calibration.json",
    "released": "out/0*.jpg",
    "journal": "out/.homing-*/journal.arrow",
    "keys": "archive-serve/keys.json",
    "jobs": "archive-serve/jobs/*/*.json",
    "saved": "archive-serve/kept/*/answer.json",
}


def main() -> int:
    """Flip bits and print the table; or with ``--worker``, check the flips read from stdin."""
    parser = make_parser(__doc__, photos=False)
    parser.add_argument("--flips", type=int, default=100, help="in files of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=list(_KINDS), choices=list(_KINDS))
    parser.add_argument("--worker", type=Path, help="check flips in the archive in this folder")
    options = parser.parse_args()
    if options.worker is not None:
        return _work(options.worker)
    prepare_process(options.threads)
    describe_setup(flips=options.flips, seed=options.seed)
    met = True
    with working_folder(options.work) as folder:
        if not (folder / "archive").exists():
            _make(folder)
        worker = _Worker(folder)
        print(f"{'':14} {'flips':>6} {'named':>6} {'seen':>6} {'silent':>6} {'died':>6}")
        for kind in options.kinds:
            found = Counter[str]()
            for flip in _flips(folder, kind, options.flips, options.seed):
                result = worker.check(flip)
                found.update(name for name, value in result.items() if value is True)
                if not result.get("named") or result.get("silent"):
                    print(f"  {flip} {json.dumps(result)[:300]}", file=sys.stderr)
            columns = ("flips", "named", "seen", "silent", "died")
            print(f"{kind:14} " + " ".join(f"{found[name]:6}" for name in columns), flush=True)
            met &= found["named"] == found["flips"] and not found["silent"]
        worker.close()
    return 0 if check_target("kinds with all flips named", float(met), at_least=1) else 1


def _flips(folder: Path, kind: str, count: int, seed: int) -> Iterator[tuple[str, int]]:
    files = sorted(f for f in folder.glob(_KINDS[kind]) if f.is_file() and f.stat().st_size)
    chance = random.Random(f"{seed} {kind}")
    for _ in range(count if files else 0):
        file = chance.choice(files)
        yield str(file.relative_to(folder)), chance.randrange(8 * file.stat().st_size)


class _Worker:
    """A process that checks flips; one that dies is replaced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def check(self, flip: tuple[str, int]) -> dict[str, Any]:
        file = self._folder / flip[0]
        before = file.read_bytes()
        try:
            return {"flips": True} | self._ask(flip)
        finally:
            if file.read_bytes() != before:
                file.write_bytes(before)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _ask(self, flip: tuple[str, int]) -> dict[str, Any]:
        if self._process is None:
            command = [sys.executable, __file__, "--worker", str(self._folder)]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
            )
            assert self._process.stdout is not None
            require(self._process.stdout.readline() == "ready\n", "the archive is sound")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(flip) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], _SECONDS)
        line = self._process.stdout.readline() if ready else ""
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        self.close()  # the caller restores the file before another begins
        return {"died": True}


def _work(folder: Path) -> int:
    """Check flips, one a line of standard input."""
    import numpy as np

    import homing
    from homing.archive import damaged_files
    from homing.serve.verification import damaged_files as damaged_service_files

    network = homing.load_descriptor("homing-s")
    path = folder / "archive"
    query = next(iter(sorted((folder / "photos").glob("*.jpg"))))

    def answers() -> object:
        archive = homing.open(path, descriptor=network)
        hits = archive.search(query, k=5)
        found = [(h.id, round(h.similarity, 4), h.is_copy, str(h.metadata)) for h in hits]
        on_disk = homing.open(path, descriptor=network, engine="lance")
        vectors = np.stack([np.roll(network.describe([query])[0], n) for n in range(3)])
        ids = on_disk.search_vectors(vectors / np.linalg.norm(vectors, axis=1)[:, None], k=5).ids
        return found, ids.tolist(), sorted(str(row) for row in archive.entries())

    def problems() -> list[str]:
        try:
            archive = homing.open(path, descriptor=network)
        except homing.HomingError as error:
            return [str(error), *(each.message for each in damaged_files(path))]
        found = [f"{each.id} {each.message}" for each in archive.verify().problems]
        return [*found, *damaged_service_files(folder / "archive-serve")]

    assert problems() == []
    usual = answers()
    print("ready", flush=True)
    for line in sys.stdin:
        name, bit = json.loads(line)
        file = folder / name
        data = bytearray(file.read_bytes())
        data[bit // 8] ^= 1 << bit % 8
        file.write_bytes(data)
        result: dict[str, Any] = {}
        try:
            texts = problems()
            result = {"seen": bool(texts), "named": any(file.name in text for text in texts)}
            result["texts"] = texts
            try:
                result["silent"] = not texts and answers() != usual
            except homing.HomingError as error:
                result["refused"] = str(error)
        except BaseException as error:  # noqa: BLE001 - nothing but homing's own errors is right
            result |= {"died": True, "error": repr(error)}
        finally:
            data[bit // 8] ^= 1 << bit % 8
            file.write_bytes(data)
        print(json.dumps(result), flush=True)
    return 0


def _make(folder: Path) -> None:
    """Make an archive and a service's folder with files of every kind."""
    import numpy as np
    from PIL import Image

    import homing
    from homing.archive.ingest.staging import Staging
    from homing.archive.query.calibration import provisional_calibration, write_calibration
    from homing.options import Activation
    from homing.serve.access.keys import KeyRing
    from homing.serve.jobs.queue import JobFolder
    from homing.serve.jobs.store import JobDraft, JobPicture
    from homing.serve.token_folders import SavedSearches

    for place, first in (("photos", 0), ("others", 6)):
        (folder / place).mkdir()
        for number in range(first, first + 6):
            noise = np.random.default_rng(number).integers(0, 256, (7, 9, 3), dtype=np.uint8)
            scene = Image.fromarray(noise).resize((96, 72), Image.Resampling.BICUBIC)
            scene.save(folder / place / f"{number:03}.jpg", quality=92)
    archive = homing.create(folder / "archive", codebook="IVF64,PQ8x8")
    archive.release(folder / "photos", out=folder / "out", method="paper")
    archive.add(folder / "others")
    archive.remove(["006.jpg"])
    kept = [archive.decide(folder / "others" / "007.jpg", "008.jpg", "not", by="A") for _ in "ab"]
    archive.undo_decision(kept[0].number, by="B")
    archive.index()
    settings = archive.settings
    made = provisional_calibration(settings.descriptor_fingerprint, settings.dimension)
    assert made is not None
    made = replace(made, background="entries", is_provisional=False)
    write_calibration(folder / "archive", settings, made)
    rows = archive._table.dataset.to_table(limit=1)

    def die(_: object) -> set[str]:
        raise KeyboardInterrupt

    try:
        with Staging(folder / "out", settings.identity) as staging:
            staged = staging.write(b"x" * 99, Path("left.jpg"), bytes(32))
            staging.commit(rows, [staged], die)
    except KeyboardInterrupt:
        pass
    service = folder / "archive-serve"
    KeyRing(service).add("A", "write")
    draft = JobDraft(service / "jobs", Activation())
    draft.add(JobPicture("a.jpg", "a.jpg"), b"x" * 99, "JPEG")
    draft.refuse(JobPicture("b.jpg", "b.jpg"), "it is none")
    job = JobFolder(service / "jobs" / draft.commit().token)
    job.write_attempts({1: 1})
    failed = {"source": "a.jpg", "status": "failed", "id": "a.jpg", "reason": "no", "seconds": 0.0}
    job.add_outcomes(0, [failed])
    answer = {"query": "q.jpg", "seconds": 0.1, "hits": []}
    SavedSearches.of(service, 9).save(answer, b"x" * 99)


if __name__ == "__main__":
    sys.exit(main())
