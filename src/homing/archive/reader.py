"""Archives as searched: hits, verdicts, evidence, duplicates."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np
from numpy.typing import NDArray

from homing.archive.codebooks import Codebooks, Generation, generations
from homing.archive.inputs import find_files
from homing.archive.query.answers import answer_queries, confirm_answers, search_results
from homing.archive.query.calibration import (
    Calibration,
    calibrate_on_entries,
    calibrate_on_pictures,
    describe_strangers,
    needs_calibration,
    read_calibration,
    write_calibration,
)
from homing.archive.query.manifests import ManifestIndex, read_manifest_store
from homing.archive.query.originals import Sources
from homing.archive.query.queries import DescribedQuery, describe_queries, describe_query
from homing.archive.query.snapshot import CurrentSnapshot, VectorMatches
from homing.archive.results import Hits, SearchResult
from homing.archive.settings import ArchiveSettings, check_descriptor
from homing.archive.table.location import Location
from homing.archive.table.table import Table
from homing.codebooks import Codebook
from homing.errors import ArchiveError, EntryNotFoundError, PictureError, UsageError
from homing.images import shown
from homing.options import DEFAULT_LIMITS, Limits, PathLike, SearchKeywords, SearchOptions, as_paths
from homing.search.engines.deadline import Deadline

if TYPE_CHECKING:
    from PIL import Image

    from homing.archive.query.duplicates import Group
    from homing.archive.query.explain import Explanation
    from homing.descriptors import Descriptor


class ArchiveReader:
    """What an archive answers; :class:`homing.Archive` adds what changes it.

    Parameters
    ----------
    path : Path or ObjectStorePath
        Its folder.
    settings : ArchiveSettings
    codebooks : Codebooks
        Of its generations.
    table : Table
    device : str
        Where the descriptor runs.
    engine : {"auto", "memory", "lance"}
        What searches.
    """

    def __init__(
        self,
        path: Location,
        settings: ArchiveSettings,
        codebooks: Codebooks,
        table: Table,
        *,
        device: str = "cpu",
        engine: str = "auto",
    ) -> None:
        self.path = path
        self.settings = settings
        self._codebooks = codebooks
        self._table = table
        self._current = CurrentSnapshot(table, codebooks, engine)
        self._device = device
        self._descriptor: Descriptor | None = None
        self._manifests = ManifestIndex(table.again)

    def __len__(self) -> int:
        """Count the entries."""
        return len(self._table)

    @property
    def codebook(self) -> Codebook:
        """The frozen codebook of new pictures: the newest generation's."""
        return self.codebooks[-1]

    @property
    def codebooks(self) -> tuple[Codebook, ...]:
        """The frozen codebooks of its generations, oldest first."""
        return self._codebooks.of(self._table)

    @property
    def generations(self) -> tuple[Generation, ...]:
        """The archive's codebooks, in the order adopted: one, unless :meth:`adopt` was used."""
        return generations(self._table, self.settings)

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
        check_descriptor(descriptor, self.settings, self.path)
        self._descriptor = descriptor

    def search(
        self,
        picture: "PathLike | bytes | Image.Image",
        **options: Unpack[SearchKeywords],
    ) -> Hits:
        """Find the entries most similar to a picture.

        Parameters
        ----------
        picture : path, bytes or PIL.Image.Image
            A file, an encoded file's bytes, or a picture in memory.
        k : int, default 10
            How many hits, at most.
        probes : int or None, default None
            Cells to visit, of each codebook generation. None: in a calibrated archive one, and
            more only for as long as no hit is a copy; in others one in 64, at least four. One
            finds what was released.
        rerank : int, default 64
            How many of the nearest codes, of each codebook generation, are put in order by exact
            similarity; 0: codes only.
        views : str, default "upright"
            "upright": the picture as it is; "turned": its four quarter turns and their mirror
            images; "all": these, also of what lies within a frame, and five parts of the picture.
            The best view of each entry counts.
        rate : float, default 1e-4
            False alarms a query, at most, for a hit to be called a copy.
        confirm : bool, default False
            Compare the picture with those of the five best hits by local features (needs OpenCV):
            what agrees is a copy and comes first, what does not is none and comes last.
        files : path or sequence of paths, default none
            Folders in which the pictures of entries lie, their ids being paths; released files
            are found without.
        limits : Limits
            Bounds on decoding.
        deadline : float or None, default None
            Seconds that the parts of an archive searched by the lance engine have to answer. If
            given, those that do not, or cannot be read, are left out: `partial` of the hits then
            says how many entries were not asked, and why. Without, an archive that cannot be read
            as a whole is an error.

        Returns
        -------
        Hits
            A tuple of :class:`Hit`, best first.

        Raises
        ------
        PictureError
            The picture cannot be read.
        UsageError
            What is asked makes no sense, or OpenCV is missing.
        """
        asked = SearchOptions(**options)
        return self.answer([describe_query(self.descriptor, picture, asked)], asked)[0]

    def answer(self, looked: Sequence[DescribedQuery], asked: SearchOptions) -> list[Hits]:
        """Hits of queries described already; all of them are looked for together."""
        answers = self._current.run(
            lambda snapshot: answer_queries(snapshot, looked, asked, self._calibration())
        )
        if asked.confirm:
            answers = confirm_answers(answers, looked, asked, self.sources(asked.folders))
        return answers

    def sources(self, folders: Sequence[Path] = ()) -> Sources:
        """Where the pictures of entries may lie: where they were released to, and in folders."""
        self._table.refresh()
        return Sources(self._table, self.path, folders)

    def explain(
        self,
        picture: "PathLike | bytes | Image.Image",
        *,
        views: str = "all",
        rate: float = SearchOptions.rate,
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
        from homing.archive.query.explain import cell_of, explain

        asked = SearchOptions(k=1, views=views, rate=rate, files=files, limits=limits)
        looked = describe_query(self.descriptor, picture, asked)
        (hits,) = self.answer([looked], asked)
        name = shown(picture) if isinstance(picture, str | os.PathLike) else "the picture"
        hit = hits[0] if hits else None
        place = None if hit is None else self.sources(asked.folders).find(hit.id)
        return explain(name, looked, hit, cell_of(looked, hit, self.codebooks), place, limits)

    def search_each(
        self,
        photos: Sequence[PathLike],
        **options: Unpack[SearchKeywords],
    ) -> Iterator[SearchResult]:
        """Search for every picture of files and folders; a bad one gives its reason.

        Results come in order, while the next pictures are read and described on all processors.

        Parameters
        ----------
        photos : sequence of paths
            Files and folders.
        k, probes, rerank, views, rate, confirm, files, limits, deadline
            As for :meth:`search`; pictures are searched for 16 at a time, whose deadline is one.
        """
        asked = SearchOptions(**options)
        batches = describe_queries(self.descriptor, find_files(photos), asked)
        yield from search_results(batches, lambda looked: self.answer(looked, asked))

    def search_vectors(
        self,
        vectors: NDArray[np.float32],
        *,
        k: int = 10,
        probes: int | None = None,
        rerank: int = SearchOptions.rerank,
        deadline: float | None = None,
    ) -> VectorMatches:
        """Search with descriptors that are at hand.

        Parameters
        ----------
        vectors : array (n, D), float32
            Unit vectors of the archive's descriptor.
        k, probes, rerank, deadline
            As for :meth:`search`; the deadline is for all of them together.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.settings.dimension:
            raise UsageError(
                f"expected descriptors of shape (n, {self.settings.dimension}), not {vectors.shape}"
            )
        asked = SearchOptions(k=k, probes=probes, rerank=rerank, deadline=deadline)
        return self._current.run(
            lambda now: now.search(
                vectors,
                k=asked.k,
                probes=now.automatic_probes() if asked.probes is None else asked.probes,
                rerank=asked.rerank,
                deadline=Deadline.after(asked.deadline),
            )
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
        if paths := as_paths(photos):
            found = find_files(paths)
            strangers = describe_strangers(self.descriptor, found, limits, progress)
            calibration = self._current.run(partial(calibrate_on_pictures, strangers=strangers))
        else:
            calibration = self._current.run(calibrate_on_entries)
        write_calibration(self.path, self.settings, calibration)
        return calibration

    def duplicates(
        self,
        *,
        rate: float = SearchOptions.rate,
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
            The archive is not calibrated and no similarity is given, or one out of [−1, 1].
        """
        from homing.archive.query.duplicates import CopyThreshold, duplicate_groups

        alike = CopyThreshold(self._calibration(), rate, similarity)
        if alike.calibration is None and similarity is None:
            raise UsageError(
                f"{str(self.path)!r} is not calibrated, so that nobody knows how alike copies "
                "are; calibrate it with 'homing calibrate', or give a similarity"
            )
        return self._current.run(lambda snapshot: duplicate_groups(snapshot, alike, progress))

    def manifest_store(self, manifest: str) -> bytes:
        """Return the C2PA manifest store in the released file whose active manifest has that id.

        Parameters
        ----------
        manifest : str
            Such as ``urn:c2pa:…``, from the metadata of an entry (``c2pa_manifest``).

        Raises
        ------
        EntryNotFoundError
            No entry has that manifest, or its file is not at hand, or no longer the one released.
        """
        reason = "no entry has it"
        for row in self._manifests.find(manifest):
            try:
                return read_manifest_store(row, self.path)
            except PictureError as error:
                reason = str(error)
        raise EntryNotFoundError(f"the manifest {manifest!r} cannot be had: {reason}")

    def _calibration(self) -> Calibration | None:
        return read_calibration(self.path, self.settings)

    def _keep_calibrated(self) -> None:
        """Calibrate again on entries where the archive has outgrown what was observed."""
        try:
            calibration = self._calibration()
        except ArchiveError:  # damaged: made again
            calibration = None
        if needs_calibration(calibration, len(self)):
            with contextlib.suppress(UsageError):  # its entries are all alike: no verdict
                self.calibrate()

    def warm(self) -> None:
        """Load the codes now rather than at the first search."""
        self._current.snapshot()
