"""Upkeep of an archive: its entries listed, removed, indexed and verified."""

import contextlib
import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from homing.archive.codebooks import Generation, adopt, choose_with_codes
from homing.archive.decisions.kept import KeptDecision
from homing.archive.decisions.query import DecidedQuery, decided_query
from homing.archive.inputs import find_files
from homing.archive.previews.recognition import Recognition
from homing.archive.previews.upkeep import sweep_packs
from homing.archive.query.calibrate import calibrate, describe_strangers
from homing.archive.query.calibration import Calibration, needs_calibration, write_calibration
from homing.archive.reader import ArchiveReader
from homing.archive.results import MadePreviews, Verification
from homing.archive.table.index.build_index import Indexed, index_generations, refuse_unindexable
from homing.archive.table.index.form import IndexForm, stored_form
from homing.archive.table.index.segments import read_coverages
from homing.archive.table.rows import Row
from homing.archive.table.table import Table
from homing.archive.table.versions import REPAIR
from homing.archive.verification import ArchiveParts, statistics, verify
from homing.codebooks.codebook import Codebook
from homing.errors import ArchiveError, EntryNotFoundError, UsageError
from homing.images.limits import shown
from homing.options import DEFAULT_LIMITS, CodebookLike, Limits, PathLike, as_paths
from homing.progress import OnProgress, counted
from homing.search.engines.lance import INDEX_CODES
from homing.workers.choose import open_workforce

if TYPE_CHECKING:
    from PIL import Image


class ArchiveUpkeep(ArchiveReader):
    """Everything but searching, releasing, adding and exchanging; see :class:`homing.Archive`."""

    def entries(self) -> Iterator[Row]:
        """Yield all entries in the order recorded, without their vectors."""
        return self._refreshed().rows()

    def page(
        self,
        *,
        prefix: str = "",
        state: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[Row]:
        """Return some entries, in the order of their ids, without their vectors.

        Parameters
        ----------
        prefix : str
            Beginning of the ids.
        state : {"released", "added"} or None
            None: both.
        after : str or None
            Last id of the page before.
        limit : int
            Most entries returned.
        """
        return self._refreshed().page(prefix=prefix, state=state, after=after, limit=limit)

    def entry(self, id: str) -> Row:  # noqa: A002 - the column's name
        """Return the entry of an id, with its vector; EntryNotFoundError if none has it."""
        found = self._refreshed().lookup([shown(id)], [])
        for row in self._table.rows(ids=[each["id"] for each in found.values()], with_vectors=True):
            return row
        raise EntryNotFoundError(f"{str(self.path)!r} has no entry {id!r}; see 'homing list'")

    def remove(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Remove entries; released files stay where they are.

        Returns
        -------
        tuple of str
            The ids that existed.
        """
        recorded = {i: shown(i) for i in ids}  # as recorded: a name's bytes may be no UTF-8
        self._table.begin_writing()
        existing = self._table.lookup(list(recorded.values()), [])
        if existing:
            self._table.delete([row["id"] for row in existing.values()])
        return tuple(i for i, name in recorded.items() if name in existing)

    def decide(
        self,
        picture: "PathLike | bytes | Image.Image",
        id: str,  # noqa: A002 - the column's name
        verdict: str,
        *,
        by: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> KeptDecision:
        """Keep a decision: a picture is a copy of an entry, or is not.

        It overrules the verdict wherever a search for that file finds the entry, or for one that
        shows next to the same. It counts for nothing once the id has another picture.

        Parameters
        ----------
        picture : path, bytes or PIL.Image.Image
            The query. A small picture of it is kept, about 16 kB.
        id : str
            The entry.
        verdict : {"copy", "not"}
        by : str or None
            Name of the person who decides; None: of the login.
        limits : Limits
            Bounds on decoding.

        Raises
        ------
        PictureError
            The picture cannot be read, or shows nothing.
        EntryNotFoundError
            There is no such entry.

        Examples
        --------
        >>> kept = archive.decide("suspect.jpg", "sea/1.jpg", "copy", by="Ada")
        >>> archive.undo_decision(kept.number)
        """
        if verdict not in ("copy", "not"):
            raise UsageError(f"a decision is 'copy' or 'not', not {verdict!r}")
        query = decided_query(self.descriptor, picture, limits)
        return self.keep_decision(query, id, copy=verdict == "copy", by=by)

    def keep_decision(
        self,
        query: DecidedQuery,
        id: str,  # noqa: A002 - the column's name
        *,
        copy: bool,
        by: str | None = None,
    ) -> KeptDecision:
        """Keep a decision on a query that is described already; as :meth:`decide`."""
        return self._decisions.add(query, id, copy=copy, by=by)

    def decisions(self, id: str | None = None) -> list[KeptDecision]:  # noqa: A002
        """List the decisions that are not undone, in their order: all, or those on one id."""
        found = {} if id is None else self._refreshed().lookup([id], [])
        return self._decisions.all(found[id]["id"] if id in found else id)

    def undo_decision(self, number: int, *, by: str | None = None) -> KeptDecision:
        """Undo a decision and return it; EntryNotFoundError if there is none of that number."""
        return self._decisions.undo(number, by=by)

    def verify(self, *, files: bool = True, progress: OnProgress | None = None) -> Verification:
        """Check every entry against codebook and descriptor, and with `files` all files too.

        These are released files, previews, and all that the table rests on: each is compared with
        its checksum. Decisions and the calibration must be whole; decisions on entries that are
        gone count for nothing, and stay.

        `progress` is called with a :class:`Progress` of entries.
        """
        table = self._refreshed()
        # A descriptor that is not the archive's is refused here.
        known = Recognition(self.preview_store, self.descriptor.input_size)
        parts = ArchiveParts(
            self.path, self.settings, table, self.codebooks, known, self._decisions
        )
        try:
            return verify(parts, files=files, progress=counted(progress, table.__len__))
        except ArchiveError as error:
            raise ArchiveError(f"version {table.version}: {error}; {REPAIR}") from error

    def index(
        self,
        *,
        codes: str | None = None,
        workers: int | str = 1,
        progress: OnProgress | None = None,
    ) -> Indexed:
        """Build or extend the index that the lance engine searches; the codebook is unchanged.

        Later entries are found all the same, searched one by one, until it is run again.

        Parameters
        ----------
        codes : {"codebook", "rq", "sq"} or None
            What the index holds of an entry: the codebook's code; or of its vector Lance's RaBitQ
            code (a bit a component) or scalar code (a byte a component), closer to the vector and
            larger. None: as the index in place, at first the codebook's. The cells are the same.
        workers : int or str
            Processes that build parts of it at the same time, or the workers of a Ray cluster, as
            for :meth:`add`. The current part of a killed worker is built again. Each takes up to
            half a gigabyte of memory.
        progress : callable or None
            Called with a :class:`Progress` of entries.

        Raises
        ------
        UsageError
            The index cannot hold a codebook of this type (LSH; SQ8's own codes), workers die
            repeatedly over the same part, or a Ray cluster cannot be reached or does not see the
            archive.
        """
        self._table.begin_writing()
        codebooks = self.codebooks
        if codes not in (None, *INDEX_CODES):
            raise UsageError(f"an index has no codes {codes!r}; there are {', '.join(INDEX_CODES)}")
        refuse_unindexable((self._index_form(each, codes) for each in codebooks), self.path)
        with open_workforce(workers) as workforce:
            count = counted(progress, lambda: self.unindexed)
            return index_generations(
                self._table, codebooks, codes=codes, workforce=workforce, progress=count
            )

    def _index_form(self, codebook: Codebook, codes: str | None = None) -> IndexForm:
        """Form of the index for a codebook: of those codes, or as it is in place."""
        return IndexForm(codebook, codes) if codes else stored_form(self._table, codebook)

    @property
    def unindexed(self) -> int:
        """Count of entries that :meth:`index` has left to do."""
        coverages = read_coverages(self._refreshed(), self.codebooks)
        return sum(coverage.unindexed_rows for coverage in coverages)

    def compact(self, *, keep: datetime.timedelta = datetime.timedelta(0)) -> dict[str, int]:
        """Merge the table's small files and free the space of removed entries and old versions.

        Parameters
        ----------
        keep : timedelta
            Versions that were the newest within this time stay readable.
        """
        table, previews = self._refreshed(), self.preview_store
        removed = count = 0

        def sweep(age: datetime.timedelta) -> None:
            nonlocal count, removed
            count, removed = sweep_packs(table, previews, age)
            self._decisions.remove_parts(age.total_seconds())

        figures = table.compact(keep, sweep)
        figures["bytes_freed"] += removed
        return figures | {"packs_removed": count}

    def previews(
        self,
        files: PathLike | Sequence[PathLike] = (),
        *,
        limits: Limits = DEFAULT_LIMITS,
        progress: OnProgress | None = None,
    ) -> MadePreviews:
        """Make the previews that are missing: of an archive made before there were any, or lost.

        Released files are found where they were written. Their index entries are made anew by
        the next :meth:`index`. A further run does what is left to do and nothing else.

        Parameters
        ----------
        files : path or sequence of paths
            Folders with the pictures of other entries, whose ids are paths in them. A file counts
            only if its SHA-256 is recorded.
        limits : Limits
            Bounds on decoding.
        progress : callable or None
            Called with a :class:`Progress` of entries.

        Raises
        ------
        UsageError
            The archive was made to have no previews.
        """
        from homing.archive.ingest.missing_previews import make_missing

        self._table.begin_writing()
        if not self.settings.previews:
            raise UsageError(f"{str(self.path)!r} was made to have no previews; make it anew")
        sources = self.sources(as_paths(files))
        store = self.preview_store
        count = counted(progress, lambda: self.missing_previews)
        return make_missing(self._table, store, sources, limits=limits, progress=count)

    @property
    def missing_previews(self) -> int:
        """Count of entries that :meth:`previews` has left to do."""
        from homing.archive.ingest.missing_previews import count_missing

        return count_missing(self._refreshed(), self.preview_store)

    def versions(self) -> list[dict[str, Any]]:
        """List the versions that :func:`homing.open` can still show; oldest first.

        Every change makes one; compacting removes them.
        """
        return self._refreshed().versions()

    def adopt(self, codebook: CodebookLike) -> Generation:
        """Make a codebook the archive's newest generation: new pictures get its cells and codes.

        Earlier entries are unchanged, and a search visits all generations. This cannot be undone,
        since files released for a codebook cannot be called back. Adopting the newest one again
        changes nothing.

        Parameters
        ----------
        codebook : str, Path or Codebook
            A file, a bundled one's factory string or name, or a loaded one; of this descriptor.

        Raises
        ------
        CodebookError
            It cannot be found, or is of another descriptor.
        UsageError
            It is an older generation, the archive is indexed and its index cannot hold such a
            codebook, or the archive is open at an earlier version.
        """
        self._table.begin_writing()
        chosen, _ = choose_with_codes(codebook, self.descriptor, None)
        coverages = read_coverages(self._table, self.codebooks)
        indexed = [each.form.codes for each in coverages if each.segments]
        for codes in indexed:  # the index could no longer be searched
            refuse_unindexable([IndexForm(chosen, codes)], self.path)
        return adopt(self._table, self.settings, self.path, self._codebooks.first, chosen)

    def stats(self) -> dict[str, Any]:
        """Return figures of the archive, with stable keys."""
        table = self._refreshed()
        values = statistics(table, self.settings, self.codebooks, self.path)
        return values | {"decisions": self._decisions.count()}

    def calibrate(
        self,
        photos: PathLike | Sequence[PathLike] = (),
        *,
        limits: Limits = DEFAULT_LIMITS,
        progress: OnProgress | None = None,
    ) -> Calibration:
        """Observe the similarities that queries without a match reach, on which verdicts rest.

        Done by :meth:`release` and :meth:`add` whenever the archive has grown by half.

        Parameters
        ----------
        photos : path or sequence of paths
            At least 200 pictures of which the archive holds no copy, like those to be searched
            for. Without any, entries are searched for among the others.
        limits : Limits
            Bounds on decoding; unreadable pictures are left out.
        progress : callable or None
            Called with a :class:`Progress` of pictures.

        Raises
        ------
        UsageError
            There are too few pictures.
        """
        strangers = None
        if paths := as_paths(photos):
            found = find_files(paths)
            count = counted(progress, found.__len__)
            strangers = describe_strangers(self.descriptor, found, limits, count)
        calibration = self._current.run(
            lambda now: calibrate(now, self.settings, self.preview_store, strangers)
        )
        write_calibration(self.path, self.settings, calibration)
        return calibration

    def _keep_calibrated(self) -> None:
        """Calibrate again on entries where the archive has outgrown its calibration."""
        try:
            calibration = self._calibration()
        except ArchiveError:  # damaged: made again
            calibration = None
        if needs_calibration(calibration, len(self)):
            with contextlib.suppress(UsageError):  # its entries are all alike: no verdict
                self.calibrate()

    def _refreshed(self) -> Table:
        self._table.refresh()
        return self._table
