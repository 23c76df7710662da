"""The archive: what a user holds."""

import contextlib
import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from homing.archive.codebooks import Generation, adopt, choose_codebook, choose_codebooks
from homing.archive.ingest.run import OnOutcome, collect, refuse_output, refuse_store
from homing.archive.inputs import Input, gather
from homing.archive.maintenance import statistics, verify
from homing.archive.reader import ArchiveReader
from homing.archive.results import Imported, Problem, Report, Verification
from homing.archive.table.build_index import Indexed, index_all, refuse_unless_held
from homing.archive.table.index import coverages
from homing.archive.table.page import page_of
from homing.archive.table.rows import Row
from homing.c2pa import ContentCredentials
from homing.codebooks import Codebook
from homing.errors import EntryNotFoundError
from homing.images import shown
from homing.options import (
    DEFAULT_LIMITS,
    Activation,
    ActivationKeywords,
    CodebookLike,
    Limits,
    PathLike,
    as_paths,
)
from homing.workers.choose import Workforce, open_workforce

if TYPE_CHECKING:
    from homing.archive.ingest.by_workers import Activate, MakeActivator
    from homing.archive.ingest.describe import DescribedInput
    from homing.descriptors import Descriptor


class Archive(ArchiveReader):
    """The record of all pictures released or added, with its codebook.

    Made by :func:`homing.create`, opened by :func:`homing.open`. Several processes may write to one
    archive at once.

    Attributes
    ----------
    path : Path or ObjectStorePath
        Its folder, or its place in an object store.
    settings : ArchiveSettings
        What it was made with.
    codebook : Codebook
        Its frozen codebook; of as_paths generations the newest, which new pictures get.
    """

    def __repr__(self) -> str:
        """Name the archive and what it is made of."""
        books = ", ".join(each.codebook for each in self.generations)
        made_of = f"{self.settings.descriptor}, {books}"
        return f"<homing.Archive {str(self.path)!r}: {len(self)} entries, {made_of}>"

    def release(
        self,
        photos: PathLike | Sequence[PathLike] = (),
        *,
        out: PathLike,
        manifest: PathLike | None = None,
        limits: Limits = DEFAULT_LIMITS,
        c2pa: ContentCredentials | None = None,
        workers: int | str = 1,
        on_outcome: OnOutcome | None = None,
        **activation: Unpack[ActivationKeywords],
    ) -> Report:
        """Activate pictures, write them to a folder and record them.

        Running it again does what is left to do and nothing else, also after a crash.

        Parameters
        ----------
        photos : path or sequence of paths
            Files and folders.
        out : path
            Folder for the released files; not inside one of `photos`.
        psnr : float, default 42
            Least peak signal-to-noise ratio of each file against its source, dB.
        method : str, default "robust"
            Name of the activation method.
        seed : int, default 0
            Of the initial noise and of the edits drawn.
        format : {"jpeg", "png", "webp", "tiff"} or None, default None
            Format of the files; None keeps each picture's own.
        manifest : path or None
            ``.csv`` or ``.jsonl`` with a ``path`` column, an optional ``id``, and metadata.
        limits : Limits
            Bounds on decoding.
        also : str, Path, Codebook, or sequence of these, default none
            Further codebooks that the files are activated for as well: a generation's to come, or
            a partner's. They must be of the archive's descriptor. What is recorded is the archive's
            own codebook's.
        c2pa : ContentCredentials or None
            Signs every file, whose manifest's id is then in the entry's metadata (needs
            c2pa-python). A manifest and its signature are another each time, and so are then the
            files of two runs.
        workers : int or str
            Processes that activate pictures at the same time; 1 is this one alone, which uses up to
            eight processors itself. Or the workers of a Ray cluster, which must see the pictures
            under the same paths; as for :meth:`add`. Files are written by this process, and are the
            same, on processors of the same kind. A worker that is killed costs the pictures in hand
            another try.
        on_outcome : callable or None
            Called with each outcome, once its picture is recorded.

        Returns
        -------
        Report
            One outcome a picture; bad pictures are among them with their reasons.

        Raises
        ------
        CodebookError
            One of `also` cannot be found, or is of another descriptor.
        UsageError
            A setting is out of range, a codebook is given twice, nothing can be signed, or workers
            fail as for :meth:`add`.
        DescriptorError
            Other processes cannot load the archive's descriptor: it is a Python function.
        """
        from homing.activation import Activator
        from homing.archive.ingest.release import Run, release
        from homing.archive.ingest.sign import Seal

        options = Activation(**activation)
        self._table.refresh()
        refuse_store(out)
        inputs, folder = self.inputs(photos, manifest), Path(out)
        own = [self.path] if isinstance(self.path, Path) else []
        refuse_output(folder, [*as_paths(photos), *own])
        generation, codebook = self._newest()
        with open_workforce(workers) as workforce:
            descriptor = self._descriptor_beside(workforce)
            options = replace(options, also=choose_codebooks(options.also, descriptor))
            make = partial(Activator.of, codebook=codebook, activation=options, limits=limits)
            activator = make(descriptor)
            run = Run(
                self._table,
                activator,
                folder,
                self.path,
                owner=self.settings.identity,
                generation=generation,
                seal=Seal.of(c2pa, activator) if c2pa is not None else None,
                activate=self._activate_by(workforce, make),
            )
            with contextlib.closing(release(run, inputs)) as outcomes:
                report = collect(outcomes, on_outcome)
        self._keep_calibrated()
        return report

    def _descriptor_beside(self, workforce: Workforce | None) -> "Descriptor":
        """The descriptor in this process; beside workers, loaded as they load it, on the CPU."""
        if workforce is None:
            return self.descriptor
        from homing.archive.ingest.by_workers import loadable_descriptor

        return loadable_descriptor(self.settings, self.path)

    def _activate_by(self, workforce: Workforce | None, make: "MakeActivator") -> "Activate | None":
        if workforce is None:
            return None
        from homing.archive.ingest.by_workers import activate_by_workers

        return activate_by_workers(
            make, self.settings, archive=self.path, device=self._device, workforce=workforce
        )

    def add(
        self,
        photos: PathLike | Sequence[PathLike] = (),
        *,
        manifest: PathLike | None = None,
        limits: Limits = DEFAULT_LIMITS,
        workers: int | str = 1,
        on_outcome: OnOutcome | None = None,
    ) -> Report:
        """Record pictures as they are.

        Running it again does what is left to do and nothing else, also after a crash.

        Parameters
        ----------
        photos, manifest, limits, on_outcome
            As for :meth:`release`.
        workers : int or str
            Processes that read and describe pictures at the same time; 1 is this one alone. Or the
            workers of a Ray cluster, which must see archive and pictures under the same paths:
            "ray://HOST:PORT"; "ray" is the one that ``RAY_ADDRESS`` names, or this machine's
            processors. What is recorded is the same. A worker that is killed costs the pictures in
            hand another try.

        Returns
        -------
        Report
            One outcome a picture, in the order given; bad pictures are among them with their
            reasons.

        Raises
        ------
        UsageError
            Workers die again and again over the same pictures, a Ray cluster cannot be reached, or
            its machines do not see what is to be added.
        DescriptorError
            Other processes cannot load the archive's descriptor: it is a Python function.
        """
        from homing.archive.ingest.add import add

        self._table.refuse_if_past()
        self._table.refresh()
        inputs = self.inputs(photos, manifest)
        with open_workforce(workers) as workforce:
            described = self._described(inputs, limits, workforce)
            with contextlib.closing(add(self._table, *self._newest(), described)) as outcomes:
                report = collect(outcomes, on_outcome)
        self._keep_calibrated()
        return report

    def _newest(self) -> tuple[int, Codebook]:
        """Number and codebook of the newest generation.

        A run keeps them to its end, also where another process adopts a newer one meanwhile.
        """
        codebooks = self.codebooks
        return len(codebooks), codebooks[-1]

    def _described(
        self, inputs: Sequence[Input], limits: Limits, workforce: Workforce | None
    ) -> "Iterator[DescribedInput]":
        if workforce is None:
            from homing.archive.ingest.describe import describe

            return describe(self._table, self.descriptor, inputs, archive=self.path, limits=limits)
        from homing.archive.ingest.by_workers import describe_by_workers

        return describe_by_workers(
            self._table,
            self.settings,
            inputs,
            archive=self.path,
            limits=limits,
            device=self._device,
            workforce=workforce,
        )

    def inputs(
        self, photos: PathLike | Sequence[PathLike] = (), manifest: PathLike | None = None
    ) -> list[Input]:
        """List what :meth:`release` or :meth:`add` would work on."""
        return gather(as_paths(photos), Path(manifest) if manifest else None)

    def entries(self) -> Iterator[Row]:
        """All rows in the order recorded, without their vectors."""
        self._table.refresh()
        return self._table.rows()

    def page(
        self,
        *,
        prefix: str = "",
        state: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[Row]:
        """Some of the rows, in the order of their ids, without their vectors.

        Parameters
        ----------
        prefix : str
            Of the ids.
        state : {"released", "added"} or None
            None: both.
        after : str or None
            The id that the page before ended with.
        limit : int
            How many, at most.
        """
        self._table.refresh()
        return page_of(self._table, prefix=prefix, state=state, after=after, limit=limit)

    def entry(self, id: str) -> Row:  # noqa: A002 - the column's name
        """The row of an id, with its vector."""
        self._table.refresh()
        for row in self._table.rows(ids=[shown(id)], with_vectors=True):
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
        self._table.refresh()
        there = self._table.lookup(list(wanted.values()), [])
        if there:
            self._table.delete(list(there))
        return tuple(i for i, recorded in wanted.items() if recorded in there)

    def verify(
        self, *, files: bool = True, progress: Callable[[int], None] | None = None
    ) -> Verification:
        """Check every row against codebook and descriptor, and released files against rows."""
        self._table.refresh()
        _ = self.descriptor  # a descriptor that is not the archive's is refused here
        codebooks = self.codebooks
        found = verify(self._table, codebooks, self.path, files=files, progress=progress)
        if all(each.sound for each in coverages(self._table, codebooks)):
            return found
        problem = Problem(None, "the index is not this record's; run 'homing index' to replace it")
        return replace(found, problems=(*found.problems, problem))

    def index(
        self, *, workers: int | str = 1, progress: Callable[[int], None] | None = None
    ) -> Indexed:
        """Build or extend the index that the lance engine searches; the codebook stays as it is.

        Entries that come later are searched all the same, one by one, until it is run again.

        Parameters
        ----------
        workers : int or str
            Processes that build parts of it at the same time, or the workers of a Ray cluster, as
            for :meth:`add`. One that is killed costs its part another try. Each takes up to half a
            gigabyte of memory.
        progress : callable or None
            Called with the number of entries indexed since the last call.

        Raises
        ------
        UsageError
            The index cannot hold a codebook of this kind (LSH, SQ8), workers die again and again
            over the same part, or a Ray cluster cannot be reached or does not see the archive.
        """
        self._table.refuse_if_past()
        self._table.refresh()
        codebooks = self.codebooks
        refuse_unless_held(codebooks, self.path)
        with open_workforce(workers) as workforce:
            return index_all(self._table, codebooks, workforce=workforce, progress=progress)

    @property
    def unindexed(self) -> int:
        """How many entries :meth:`index` has left to do."""
        self._table.refresh()
        found = coverages(self._table, self.codebooks)
        return sum(sum(each.loose.values()) for each in found)

    def compact(self, *, keep: datetime.timedelta = datetime.timedelta(0)) -> dict[str, int]:
        """Merge the record's small files and free what removed rows and old versions took.

        Parameters
        ----------
        keep : timedelta
            Versions that were the newest so long ago stay readable.
        """
        self._table.refresh()
        return self._table.compact(keep)

    def versions(self) -> list[dict[str, Any]]:
        """Versions that :func:`homing.open` can still show; oldest first.

        Every change makes one; compacting removes them.
        """
        self._table.refresh()
        return self._table.versions()

    def export(self, file: PathLike, *, progress: Callable[[int], None] | None = None) -> int:
        """Write all rows, with their vectors, to a new Parquet file; returns how many.

        Parameters
        ----------
        file : path
            It must not exist. It appears whole or not at all.
        progress : callable or None
            Called with the number of rows written since the last call.
        """
        from homing.archive.exchange import export_rows

        self._table.refresh()
        return export_rows(self._table, self.settings, self.path, file, progress)

    def adopt(self, codebook: CodebookLike) -> Generation:
        """Make a codebook the archive's newest generation: new pictures get its cells and codes.

        Entries keep theirs, and a search asks all generations. There is no way back, since what
        is released for a codebook cannot be called back. Adopting the newest one again changes
        nothing.

        Parameters
        ----------
        codebook : str, Path or Codebook
            A file, a bundled one's factory string or name, or a loaded codebook; of the archive's
            descriptor.

        Raises
        ------
        CodebookError
            It cannot be found, or is of another descriptor.
        UsageError
            It is an older generation, the archive is indexed and its index cannot hold such a
            codebook, or it is open at a version that is past.
        """
        self._table.refuse_if_past()
        self._table.refresh()
        chosen, _ = choose_codebook(codebook, self.descriptor, None)
        if any(each.segments for each in coverages(self._table, self.codebooks)):
            refuse_unless_held([chosen], self.path)  # it could no longer be searched through it
        return adopt(self._table, self.settings, self.path, self._codebooks.first, chosen)

    def import_rows(
        self, file: PathLike, *, progress: Callable[[int], None] | None = None
    ) -> Imported:
        """Record the rows of a file that :meth:`export` wrote, of this or of another archive.

        Both must have the same descriptor, and this one the codebooks of the other; of which
        generation a row is does not matter. A row that is there already stays as it is; one that
        its codebook does not confirm, or whose id another picture has, is left out.
        """
        from homing.archive.exchange import import_rows

        self._table.refuse_if_past()
        self._table.refresh()
        codebooks = self.codebooks
        imported = import_rows(self._table, self.settings, codebooks, self.path, file, progress)
        self._keep_calibrated()
        return imported

    def stats(self) -> dict[str, Any]:
        """Figures of the archive, with stable keys."""
        self._table.refresh()
        codebooks = self.codebooks
        return statistics(self._table, self.settings, codebooks, self.path)
