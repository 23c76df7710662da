"""The archive: what a user holds."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from homing.archive.answering import answered, confirmed_answers
from homing.archive.calibrating import (
    Calibration,
    calibrate_on_entries,
    calibrate_on_pictures,
    outgrown,
    read_calibration,
    write_calibration,
)
from homing.archive.manifest import Input, PathLike, find_files, gather, several
from homing.archive.record import Record, Row, translated
from homing.archive.results import Hit, Report, SearchResult, Verification
from homing.archive.running import OnOutcome, collect, refuse_output
from homing.archive.searching import (
    RATE,
    RERANK,
    Asked,
    Looked,
    full_picture,
    look,
    look_at_all,
    results,
)
from homing.archive.settings import ArchiveSettings
from homing.archive.snapshot import Matches, Snapshot
from homing.archive.statistics import statistics
from homing.archive.verifying import verify
from homing.codebooks import Codebook
from homing.errors import ArchiveError, DescriptorError, EntryNotFoundError, UsageError
from homing.images import DEFAULT_LIMITS, Limits, shown
from homing.search import automatic_probes

if TYPE_CHECKING:
    from PIL import Image

    from homing.archive.duplicates import Group
    from homing.archive.explaining import Explanation, Sources
    from homing.descriptors import Descriptor

__all__ = ["Archive"]


class Archive:
    """The record of all pictures released or added, with its codebook.

    Made by :func:`homing.create`, opened by :func:`homing.open`. Several processes may write to one
    archive at once.

    Attributes
    ----------
    path : Path
        Its folder.
    settings : ArchiveSettings
        What it was made with.
    codebook : Codebook
        Its frozen codebook.
    """

    def __init__(
        self,
        path: Path,
        settings: ArchiveSettings,
        codebook: Codebook,
        record: Record,
        *,
        device: str = "cpu",
    ) -> None:
        self.path = path
        self.settings = settings
        self.codebook = codebook
        self._record = record
        self._device = device
        self._descriptor: Descriptor | None = None
        self._snapshot: Snapshot | None = None

    def __len__(self) -> int:
        """Count the entries."""
        return len(self._record)

    def __repr__(self) -> str:
        """Name the archive and what it is made of."""
        made_of = f"{self.settings.descriptor}, {self.settings.codebook}"
        return f"<homing.Archive {str(self.path)!r}: {len(self)} entries, {made_of}>"

    @property
    def descriptor(self) -> "Descriptor":
        """The archive's descriptor, loaded at first use and checked against the archive's."""
        if self._descriptor is None:
            from homing.descriptors import load_descriptor

            self.use_descriptor(load_descriptor(self.settings.descriptor, device=self._device))
        assert self._descriptor is not None
        return self._descriptor

    def use_descriptor(self, descriptor: "Descriptor") -> None:
        """Give the archive its descriptor, already loaded; refused if it is another one."""
        if descriptor.fingerprint != self.settings.descriptor_fingerprint:
            raise DescriptorError(
                f"descriptor {descriptor.name!r} has fingerprint {descriptor.fingerprint}, but "
                f"{str(self.path)!r} was made with {self.settings.descriptor_fingerprint} "
                f"({self.settings.descriptor}); open the archive with that one"
            )
        self._descriptor = descriptor

    def release(
        self,
        photos: PathLike | Sequence[PathLike] = (),
        *,
        out: PathLike,
        psnr: float = 42.0,
        method: str = "paper",
        seed: int = 0,
        format: str | None = None,  # noqa: A002 - the word of the command line
        manifest: PathLike | None = None,
        limits: Limits = DEFAULT_LIMITS,
        on_outcome: OnOutcome | None = None,
    ) -> Report:
        """Activate pictures, write them to a folder and record them.

        Running it again does what is left to do and nothing else, also after a crash.

        Parameters
        ----------
        photos : path or sequence of paths
            Files and folders.
        out : path
            Folder for the released files; not inside one of `photos`.
        psnr : float
            Least peak signal-to-noise ratio of each file against its source, dB.
        method : str
            Name of the activation method.
        seed : int
            Of the initial noise.
        format : str or None
            "jpeg", "png", "webp" or "tiff"; None keeps each picture's own kind.
        manifest : path or None
            ``.csv`` or ``.jsonl`` with a ``path`` column, an optional ``id``, and metadata.
        limits : Limits
            Bounds on decoding.
        on_outcome : callable or None
            Called with each outcome, once its picture is recorded.

        Returns
        -------
        Report
            One outcome a picture; bad pictures are among them with their reasons.
        """
        from homing.archive.releasing import release
        from homing.archive.running import make_activator

        self._record.refresh()
        inputs, folder = self.inputs(photos, manifest), Path(out)
        refuse_output(folder, [*several(photos), self.path])
        activator = make_activator(
            self.descriptor,
            self.codebook,
            psnr=psnr,
            method=method,
            seed=seed,
            format=format,
            limits=limits,
        )
        outcomes = release(
            self._record, activator, inputs, folder, self.path, owner=self.settings.identity
        )
        report = collect(outcomes, on_outcome)
        self._keep_calibrated()
        return report

    def add(
        self,
        photos: PathLike | Sequence[PathLike] = (),
        *,
        manifest: PathLike | None = None,
        limits: Limits = DEFAULT_LIMITS,
        on_outcome: OnOutcome | None = None,
    ) -> Report:
        """Record pictures as they are; parameters as for :meth:`release`."""
        from homing.archive.adding import add

        self._record.refresh()
        inputs = self.inputs(photos, manifest)
        outcomes = add(
            self._record,
            self.descriptor,
            self.codebook,
            inputs,
            archive=self.path,
            limits=limits,
        )
        report = collect(outcomes, on_outcome)
        self._keep_calibrated()
        return report

    def inputs(
        self, photos: PathLike | Sequence[PathLike] = (), manifest: PathLike | None = None
    ) -> list[Input]:
        """List what :meth:`release` or :meth:`add` would work on."""
        return gather(several(photos), Path(manifest) if manifest else None)

    def search(
        self,
        picture: "PathLike | bytes | Image.Image",
        *,
        k: int = 10,
        probes: int | None = None,
        rerank: int = RERANK,
        views: str = "upright",
        rate: float = RATE,
        confirm: bool = False,
        files: PathLike | Sequence[PathLike] = (),
        limits: Limits = DEFAULT_LIMITS,
    ) -> tuple[Hit, ...]:
        """Find the entries most similar to a picture.

        Parameters
        ----------
        picture : path, bytes or PIL.Image.Image
            A file, an encoded file's bytes, or a picture in memory.
        k : int
            How many hits, at most.
        probes : int or None
            Cells to visit. None: in a calibrated archive one, and more only for as long as no hit
            is a copy; in others one in 64, at least four. One finds what was released.
        rerank : int
            How many of the nearest codes are put in order by exact similarity; 0: codes only.
        views : str
            "upright": the picture as it is; "turned": its four quarter turns and their mirror
            images; "all": these, also of what lies within a frame, and five parts of the picture.
            The best view of each entry counts.
        rate : float
            False alarms a query, at most, for a hit to be called a copy.
        confirm : bool
            Compare the picture with those of the five best hits by local features (needs OpenCV):
            what agrees is a copy and comes first, what does not is none and comes last.
        files : path or sequence of paths
            Folders in which the pictures of entries lie, their ids being paths; released files
            are found without.
        limits : Limits
            Bounds on decoding.

        Raises
        ------
        PictureError
            The picture cannot be read.
        """
        asked = Asked(
            k=k,
            probes=probes,
            rerank=rerank,
            views=views,
            rate=rate,
            confirm=confirm,
            files=tuple(several(files)),
            limits=limits,
        )
        return self._answer([look(self.descriptor, picture, asked)], asked)[0]

    def _answer(self, looked: Sequence[Looked], asked: Asked) -> list[tuple[Hit, ...]]:
        def ask() -> list[tuple[Hit, ...]]:
            # One snapshot for all: positions mean nothing in the next one.
            return answered(self._current(), looked, asked, self._calibration())

        answers = self._record.retried(ask)
        if asked.confirm:
            answers = confirmed_answers(answers, looked, asked, self._sources(asked.files))
        return answers

    def _sources(self, folders: Sequence[Path]) -> "Sources":
        from homing.archive.explaining import Sources

        return Sources(self._record, self.path, folders)

    def explain(
        self,
        picture: "PathLike | bytes | Image.Image",
        *,
        views: str = "all",
        rate: float = RATE,
        files: PathLike | Sequence[PathLike] = (),
        limits: Limits = DEFAULT_LIMITS,
    ) -> "Explanation":
        """Show why a picture is, or is not, taken for a copy of an entry.

        The record's picture is laid over it by local features (needs OpenCV), if its file is
        at hand: released files are, and others where `files` says so.

        Parameters
        ----------
        picture, views, rate, files, limits
            As for :meth:`search`.
        """
        from homing.archive.explaining import explained

        asked = Asked(k=1, views=views, rate=rate, limits=limits)
        looked = look(self.descriptor, picture, asked)
        (hits,) = self._answer([looked], asked)
        hit = hits[0] if hits else None
        cell = None
        if hit is not None:
            vector = looked.vectors[looked.views.index(hit.view)]
            cell = int(self.codebook.cells(vector[None])[0])
        name = shown(picture) if isinstance(picture, str | os.PathLike) else "the picture"
        suspect = full_picture(looked, limits)
        sources = self._sources(several(files))
        return explained(name, suspect, hit, cell, sources, limits)

    def search_each(
        self,
        photos: Sequence[PathLike],
        *,
        k: int = 10,
        probes: int | None = None,
        rerank: int = RERANK,
        views: str = "upright",
        rate: float = RATE,
        confirm: bool = False,
        files: PathLike | Sequence[PathLike] = (),
        limits: Limits = DEFAULT_LIMITS,
    ) -> Iterator[SearchResult]:
        """Search for every picture of files and folders; a bad one gives its reason.

        Results come in order, while the next pictures are read and described on all processors.
        Parameters as for :meth:`search`.
        """
        asked = Asked(
            k=k,
            probes=probes,
            rerank=rerank,
            views=views,
            rate=rate,
            confirm=confirm,
            files=tuple(several(files)),
            limits=limits,
        )
        batches = look_at_all(self.descriptor, find_files(photos), asked)
        yield from results(batches, lambda looked: self._answer(looked, asked))

    def search_vectors(
        self,
        vectors: NDArray[np.float32],
        *,
        k: int = 10,
        probes: int | None = None,
        rerank: int = RERANK,
    ) -> Matches:
        """Search with descriptors that are at hand.

        Parameters
        ----------
        vectors : array (n, D), float32
            Unit vectors of the archive's descriptor.
        k, probes, rerank
            As for :meth:`search`.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.settings.dimension:
            raise UsageError(
                f"expected descriptors of shape (n, {self.settings.dimension}), not {vectors.shape}"
            )
        asked = Asked(k=k, probes=probes, rerank=rerank)
        visited = automatic_probes(self.codebook.cell_count) if probes is None else probes
        return self._record.retried(
            lambda: self._current().search(vectors, k=asked.k, probes=visited, rerank=asked.rerank)
        )

    def calibrate(
        self,
        photos: PathLike | Sequence[PathLike] = (),
        *,
        limits: Limits = DEFAULT_LIMITS,
        progress: Callable[[int], None] | None = None,
    ) -> Calibration:
        """Observe what similarities queries without a match reach: verdicts rest on it.

        Done by :meth:`release` and :meth:`add` whenever the archive has grown by half.

        Parameters
        ----------
        photos : path or sequence of paths
            At least 200 pictures that the archive holds no copy of, like those to be searched
            for. Without any, entries are searched for among the others.
        limits : Limits
            Bounds on decoding; what cannot be read is left out.
        progress : callable or None
            Called with the number of pictures looked at since the last call.

        Raises
        ------
        UsageError
            There are too few pictures to tell.
        """
        looked: list[Looked] = []
        if paths := several(photos):
            asked = Asked(views="all", limits=limits)
            for batch in look_at_all(self.descriptor, find_files(paths), asked):
                looked += [query for _, query in batch if isinstance(query, Looked)]
                if progress is not None:
                    progress(len(batch))

        def observe() -> Calibration:
            snapshot = self._current()
            return (
                calibrate_on_pictures(snapshot, looked) if paths else calibrate_on_entries(snapshot)
            )

        calibration = self._record.retried(observe)
        write_calibration(self.path, self.settings, calibration)
        return calibration

    def duplicates(
        self,
        *,
        rate: float = RATE,
        similarity: float | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> "list[Group]":
        """Find entries that are copies of each other: the archive searched for all of itself.

        Parameters
        ----------
        rate : float
            False alarms an entry, at most, as for :meth:`search`.
        similarity : float or None
            If given, entries at least so alike count as copies, whatever the calibration.
        progress : callable or None
            Called with the number of entries done since the last call.

        Raises
        ------
        UsageError
            The archive is not calibrated, and no similarity is given.
        """
        from homing.archive.duplicates import duplicate_groups

        Asked(rate=rate)
        calibration = self._calibration()
        if calibration is None and similarity is None:
            raise UsageError(
                f"{str(self.path)!r} is not calibrated, so that nobody knows how alike copies "
                "are; calibrate it with 'homing calibrate', or give a similarity"
            )

        def similar(values: NDArray[np.float32]) -> NDArray[np.bool_]:
            if similarity is not None:
                return values >= similarity
            assert calibration is not None
            rates = calibration.tails["upright"].rate(values, entries=len(self))
            return rates <= rate

        return self._record.retried(lambda: duplicate_groups(self._current(), similar, progress))

    def _calibration(self) -> Calibration | None:
        return read_calibration(self.path, self.settings)

    def _keep_calibrated(self) -> None:
        """Calibrate again on entries where the archive has outgrown what was observed."""
        try:
            calibration = self._calibration()
        except ArchiveError:  # damaged: made again
            calibration = None
        if outgrown(calibration, len(self)):
            with contextlib.suppress(UsageError):  # its entries are all alike: no verdict
                self.calibrate()

    def warm(self) -> None:
        """Load the codes now rather than at the first search."""
        self._current()

    def _current(self) -> Snapshot:
        self._record.refresh()
        if self._snapshot is None or self._snapshot.version != self._record.version:
            with translated(self._record.path):
                self._snapshot = Snapshot(self._record, self.codebook)
        return self._snapshot

    def entries(self) -> Iterator[Row]:
        """All rows in the order recorded, without their vectors."""
        self._record.refresh()
        return self._record.rows()

    def entry(self, id: str) -> Row:  # noqa: A002 - the column's name
        """The row of an id, with its vector."""
        self._record.refresh()
        for row in self._record.rows(ids=[shown(id)], with_vectors=True):
            return row
        raise EntryNotFoundError(f"{str(self.path)!r} has no entry {id!r}; see 'homing list'")

    def remove(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Remove entries; released files stay where they are.

        Returns
        -------
        tuple of str
            Those of the ids that were there.
        """
        wanted = {i: shown(i) for i in ids}  # as ids are recorded: a name's bytes may be no UTF-8
        self._record.refresh()
        there = self._record.lookup(list(wanted.values()), [])
        if there:
            self._record.delete(list(there))
        return tuple(i for i, recorded in wanted.items() if recorded in there)

    def verify(
        self, *, files: bool = True, progress: Callable[[int], None] | None = None
    ) -> Verification:
        """Check every row against codebook and descriptor, and released files against rows."""
        self._record.refresh()
        _ = self.descriptor  # a descriptor that is not the archive's is refused here
        return verify(self._record, self.codebook, self.path, files=files, progress=progress)

    def compact(self) -> dict[str, int]:
        """Merge the record's small files and free what removed rows and old versions took."""
        self._record.refresh()
        return self._record.compact()

    def stats(self) -> dict[str, Any]:
        """Figures of the archive, with stable keys."""
        self._record.refresh()
        return statistics(self._record, self.settings, self.codebook, self.path)
