"""Archives as searched: hits, verdicts, evidence, duplicates."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np
from numpy.typing import NDArray

from homing.archive.codebooks import CodebookFiles, Generation, list_generations
from homing.archive.decisions.decisions import Decisions
from homing.archive.decisions.relevant import RelevantDecisions
from homing.archive.hits import Hit, Hits, SearchResult
from homing.archive.inputs import find_files
from homing.archive.previews.store import PreviewStore
from homing.archive.query.answers import answer_queries, search_results
from homing.archive.query.calibration import Calibration, read_calibration, usable_calibration
from homing.archive.query.cells import cells_of, codebook_of
from homing.archive.query.confirm import QueryPicture
from homing.archive.query.confirmer import Confirmer, hit_pictures
from homing.archive.query.manifests import ManifestIndex, read_manifest_store
from homing.archive.query.originals import Sources
from homing.archive.query.queries import DescribedQuery, describe_queries, describe_query
from homing.archive.query.snapshot import CurrentSnapshot, VectorMatches
from homing.archive.settings import ArchiveSettings, check_descriptor
from homing.archive.table.location import Location
from homing.archive.table.rows import PREVIEW
from homing.archive.table.table import Table
from homing.codebooks.codebook import Codebook
from homing.errors import EntryNotFoundError, PictureError, UsageError
from homing.images.limits import shown
from homing.options import DEFAULT_LIMITS, Limits, PathLike, Probes, SearchKeywords, SearchOptions
from homing.progress import OnProgress, Progress, counted
from homing.search.engines.deadline import Deadline

if TYPE_CHECKING:
    from PIL import Image

    from homing.archive.query.duplicates import Duplicates
    from homing.archive.query.explain import Explanation
    from homing.descriptors.descriptor import Descriptor


class ArchiveReader:
    """Searches of an archive; :class:`homing.Archive` adds the methods that change it.

    It runs the descriptor on `device` and searches through `engine`: "auto", "memory" or "lance".
    """

    def __init__(
        self,
        path: Location,
        settings: ArchiveSettings,
        codebooks: CodebookFiles,
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
        self._manifests = ManifestIndex(table.reopen)
        self._decisions = Decisions.of(path, table)

    def __len__(self) -> int:
        """Count the entries."""
        return len(self._table)

    @property
    def codebook(self) -> Codebook:
        """The frozen codebook of new pictures: the newest generation's."""
        return self.codebooks[-1]

    @property
    def codebooks(self) -> tuple[Codebook, ...]:
        """The frozen codebooks of all generations, oldest first."""
        return self._codebooks.read(self._table)

    @property
    def generations(self) -> tuple[Generation, ...]:
        """The archive's codebooks, in the order adopted: one, unless :meth:`adopt` was used."""
        return list_generations(self._table, self.settings)

    @property
    def descriptor(self) -> "Descriptor":
        """The archive's descriptor, loaded at first use and checked against the settings."""
        if self._descriptor is None:
            from homing.descriptors.loading import load_descriptor

            self.use_descriptor(load_descriptor(self.settings.descriptor, device=self._device))
        assert self._descriptor is not None
        return self._descriptor

    def use_descriptor(self, descriptor: "Descriptor") -> None:
        """Give the archive its descriptor, already loaded; DescriptorError if it is another one."""
        check_descriptor(descriptor, self.settings, self.path)
        self._descriptor = descriptor

    def warm(self) -> None:
        """Load the codes now rather than at the first search."""
        self._current.snapshot()

    def search(
        self,
        picture: "PathLike | bytes | Image.Image",
        **keywords: Unpack[SearchKeywords],
    ) -> Hits:
        """Find the entries most similar to a picture.

        Parameters
        ----------
        picture : path, bytes or PIL.Image.Image
            A file, an encoded file's bytes, or a picture in memory.
        k : int, default 10
            Most hits returned.
        probes : int, "near" or None, default None
            Cells to visit, in each codebook generation. "near": the picture's own, then those
            hardly further from it, until a hit is a copy; of a copy of a released picture 1.1 to
            1.5. None: all, of fewer than 20,000 entries; else in a calibrated archive those near,
            and more only while no hit is likely a copy, and in others one in 64, at least four.
        rerank : int, default 64
            How many of the nearest codes, in each codebook generation, are ordered by exact
            similarity; 0: codes only.
        views : str, default "upright"
            "upright": the picture as it is; "turned": its four quarter turns and their mirror
            images; "all": these, also of what lies within a frame, and five parts of the picture.
            The best view of each entry counts.
        rate : float, default 1e-4
            Most false alarms per query for a hit to be called a copy.
        confirm : bool, default True
            Compare the picture with the previews of the best hits, and decide by that: copies come
            first, hits that are none last. Where nothing is a copy, the pictures that the query
            may be put together of are searched for. What people decided overrules the comparison.
            False: by similarity alone.
        files : path or sequence of paths, default none
            Folders with the pictures of entries without a preview, whose ids are paths below them;
            released files are found without.
        limits : Limits
            Bounds on decoding.
        deadline : float or None, default None
            Seconds that the parts of an archive searched by the lance engine have to answer. Parts
            that are late or unreadable are then left out: `partial` of the hits says how many
            entries were not searched, and why. Without a deadline, an archive with an unreadable
            part is an error.

        Returns
        -------
        Hits
            A tuple of :class:`Hit`, best first.

        Raises
        ------
        PictureError
            The picture cannot be read.
        UsageError
            An option is out of range.

        Examples
        --------
        >>> for hit in archive.search("suspect.jpg", views="turned"):
        ...     print(hit.id, hit.similarity, hit.is_copy)
        """
        options = SearchOptions.of(self.search, keywords)
        return self.answer([describe_query(self.descriptor, picture, options)], options)[0]

    def answer(
        self,
        queries: Sequence[DescribedQuery],
        options: SearchOptions,
        picture: QueryPicture | None = None,
    ) -> list[Hits]:
        """Find the hits of described queries; `picture` is that of the only one, if it was read."""
        answers = self.answer_unconfirmed(queries, options)
        if not options.confirm:
            return answers
        sources = partial(self.sources, options.folders)
        confirmer = Confirmer(
            self.preview_store, sources, self.descriptor, self.answer_unconfirmed,
            self._decisions.apply, options, picture,
        )  # fmt: skip
        return confirmer.confirmed(answers, queries)

    def answer_unconfirmed(
        self, queries: Sequence[DescribedQuery], options: SearchOptions
    ) -> list[Hits]:
        """Find the hits of described queries, without comparing pictures."""
        calibration = usable_calibration(self.path, self.settings)
        return self._current.run(lambda now: answer_queries(now, queries, options, calibration))

    def cells(
        self,
        picture: "PathLike | bytes | Image.Image",
        probes: int = 1,
        *,
        views: str = SearchOptions.views,
        generation: int | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> tuple[int, ...]:
        """Return the cells in which copies of a picture would be, nearest first.

        For entries kept elsewhere under their cell's number: a probe is a look-up by key.

        Parameters
        ----------
        picture, views, limits
            As for :meth:`search`.
        probes : int
            Cells of each view.
        generation : int or None
            Number of the codebook; None: the newest.
        """
        codebook = codebook_of(self.codebooks, generation)
        options = SearchOptions(views=views, limits=limits)
        query = describe_query(self.descriptor, picture, options)
        return cells_of(codebook, query.vectors, probes)

    def relevant_decisions(
        self, hits: Sequence[Hit], query: DescribedQuery, sha256: bytes | None
    ) -> RelevantDecisions:
        """Find the decisions that may be for the hits of a query, whose file has that digest."""
        return self._decisions.relevant(hits, query, sha256)

    def sources(self, folders: Sequence[Path] = ()) -> Sources:
        """Return a finder of entries' pictures: where they were released to, and in `folders`."""
        self._table.refresh()
        return Sources(self._table, self.path, folders)

    @property
    def preview_store(self) -> PreviewStore:
        """The previews of the entries, by the references of their rows."""
        return PreviewStore.of(self.path, self.settings)

    def preview(self, id: str) -> bytes | None:  # noqa: A002 - the column's name
        """Return the preview of an entry, a small WebP of its picture as it is in the world.

        None if it has none, or one that cannot be read; :meth:`Archive.previews` makes it.
        `EntryNotFoundError` if there is no such entry.
        """
        self._table.refresh()
        columns = [PREVIEW.name] if self._table.has_previews else []
        row = self._table.lookup([shown(id)], columns).get(shown(id))
        if row is None:
            raise EntryNotFoundError(f"{str(self.path)!r} has no entry {id!r}; see 'homing list'")
        (found,) = self.preview_store.find([row.get(PREVIEW.name)])
        return found if isinstance(found, bytes) else None

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

        The picture is laid over the entry's preview; of an entry without one, over its file, if
        that is available: released files are, and others below `files`.

        Parameters
        ----------
        picture, views, rate, files, limits
            As for :meth:`search`.
        """
        from homing.archive.query.explain import cell_of, explain

        options = SearchOptions(views=views, rate=rate, files=files, limits=limits)
        query = describe_query(self.descriptor, picture, options)
        name = shown(picture) if isinstance(picture, str | os.PathLike) else "the picture"
        seen = QueryPicture.read(picture, limits)
        (hits,) = self.answer([query], options, seen)
        pictures = hit_pictures([hits], self.preview_store, partial(self.sources, options.folders))
        cell = cell_of(query, hits[0] if hits else None, self.codebooks)
        return explain(name, query, seen, hits, pictures[hits[0].id] if hits else "", cell, limits)

    def search_each(
        self,
        photos: Sequence[PathLike],
        *,
        progress: OnProgress | None = None,
        **keywords: Unpack[SearchKeywords],
    ) -> Iterator[SearchResult]:
        """Search for every picture of files and folders; a bad one gives its reason.

        Results come in order, while the next pictures are read and described on all processors.

        Parameters
        ----------
        photos : sequence of paths
            Files and folders.
        k, probes, rerank, views, rate, confirm, files, limits, deadline
            As for :meth:`search`; 16 pictures at a time, under one deadline.
        progress : callable or None
            Called with a :class:`Progress` before each result, with it.
        """
        options = SearchOptions.of(self.search_each, keywords)
        files = find_files(photos)
        batches = describe_queries(self.descriptor, files, options)
        results = search_results(batches, lambda queries: self.answer(queries, options))
        for done, result in enumerate(results, start=1):
            if progress is not None:
                progress(Progress(done, len(files), result))
            yield result

    def search_vectors(
        self,
        vectors: NDArray[np.float32],
        *,
        k: int = 10,
        probes: Probes = None,
        rerank: int = SearchOptions.rerank,
        deadline: float | None = None,
    ) -> VectorMatches:
        """Search with descriptors instead of pictures.

        Parameters
        ----------
        vectors : array (n, D), float32
            Unit vectors of the archive's descriptor.
        k, probes, rerank, deadline
            As for :meth:`search`; one deadline for all vectors.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.settings.dimension:
            raise UsageError(
                f"expected descriptors of shape (n, {self.settings.dimension}), not {vectors.shape}"
            )
        options = SearchOptions(k=k, probes=probes, rerank=rerank, deadline=deadline)
        return self._current.run(
            lambda now: now.search(
                vectors,
                k=options.k,
                probes=now.probes(options.probes),
                rerank=options.rerank,
                deadline=Deadline.after(options.deadline),
            )
        )

    def duplicates(
        self,
        *,
        rate: float = SearchOptions.rate,
        similarity: float | None = None,
        progress: OnProgress | None = None,
    ) -> "Duplicates":
        """Find entries that are copies of each other.

        Each entry is compared with its nearest neighbours by their previews, as long as they are as
        similar as few others would be. Entries without a preview go by similarity.

        Parameters
        ----------
        rate : float
            Most false alarms per entry for entries without a preview to count as copies.
        similarity : float or None
            If given, entries as similar are compared; those without a preview count as copies.
        progress : callable or None
            Called with a :class:`Progress` of entries.
        """
        from homing.archive.query.duplicates import SimilarityRule, find_duplicates
        from homing.archive.query.near_duplicates import PreviewPairs

        count = counted(progress, self.__len__)
        rule = SimilarityRule(usable_calibration(self.path, self.settings), rate, similarity)
        return self._current.run(
            lambda now: find_duplicates(now, PreviewPairs(now, self.preview_store), rule, count)
        )

    def manifest_store(self, manifest: str) -> bytes:
        """Return the C2PA manifest store in the released file whose active manifest has that id.

        Parameters
        ----------
        manifest : str
            Such as ``urn:c2pa:…``, from the metadata of an entry (``c2pa_manifest``).

        Raises
        ------
        EntryNotFoundError
            No entry has that manifest, or its file is missing or no longer the one released.
        """
        reason = "no entry has it"
        for row in self._manifests.find(manifest):
            try:
                return read_manifest_store(row, self.path)
            except PictureError as error:
                reason = str(error)
        raise EntryNotFoundError(f"the manifest {manifest!r} is not available: {reason}")

    def _calibration(self) -> Calibration | None:
        return read_calibration(self.path, self.settings)
