"""The archive: pictures released and added."""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from homing.archive.codebooks import choose_codebooks
from homing.archive.ingest.run import Observer, collect, refuse_output, refuse_store
from homing.archive.inputs import Input, gather_inputs, refuse_clashes
from homing.archive.results import Report
from homing.archive.transfer import ArchiveTransfer
from homing.c2pa.credentials import ContentCredentials
from homing.codebooks.codebook import Codebook
from homing.options import (
    DEFAULT_LIMITS,
    Activation,
    ActivationKeywords,
    Limits,
    PathLike,
    as_paths,
)
from homing.progress import OnProgress
from homing.workers.choose import Workforce, open_workforce

if TYPE_CHECKING:
    from homing.archive.ingest.by_workers import Activate, MakeActivator
    from homing.archive.ingest.describe import DescribedInput
    from homing.descriptors.descriptor import Descriptor

_log = logging.getLogger(__name__)


class Archive(ArchiveTransfer):
    """All pictures released or added, with the codebook that gives them cells and codes.

    Created by :func:`homing.create`, opened by :func:`homing.open`. Several processes may write to
    one archive at once.

    Attributes
    ----------
    path : Path or ObjectStorePath
        Its folder, also in an object store.
    settings : ArchiveSettings
        What it was made with.
    codebook : Codebook
        Its frozen codebook; of several generations the newest, which new pictures get.

    Examples
    --------
    >>> archive = homing.create("archive")
    >>> report = archive.release("photos", out="released", psnr=42)
    >>> archive.search("suspect.jpg")
    """

    def __repr__(self) -> str:
        """Name the archive, its size and its codebooks."""
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
        progress: OnProgress | Observer | None = None,
        **activation: Unpack[ActivationKeywords],
    ) -> Report:
        """Activate pictures, write them to a folder and record them.

        A further run does what is left to do and nothing else, also after a crash.

        Parameters
        ----------
        photos : path or sequence of paths
            Files and folders.
        out : path
            Folder for the released files; not inside one of `photos`.
        psnr : float, default 42
            Least peak signal-to-noise ratio of each file against its source, dB.
        method : str, default "robust"
            Name of the activation method. Methods named robust also keep the SSIMULACRA2 of each
            file above a floor.
        seed : int, default 0
            Seed for randomness; the same seed gives the same files.
        format : {"jpeg", "png", "webp", "tiff"} or None, default None
            Format of the files; None is each picture's own. A JPEG stays in its own coefficients.
        manifest : path or None
            ``.csv`` or ``.jsonl`` with a ``path`` column, an optional ``id``, and metadata.
        limits : Limits
            Bounds on decoding.
        also : str, Path, Codebook, or sequence of these, default none
            Further codebooks of the same descriptor that the files are activated for as well: a
            coming generation's, or a partner's. Cells and codes recorded are those of the
            archive's own codebook.
        c2pa : ContentCredentials or None
            Signs every file and adds its manifest's id to the entry's metadata (needs c2pa-python).
            Signatures, and so the files of two runs, differ each time.
        workers : int or str
            Processes that activate pictures at the same time; 1 is this one alone, which uses up to
            eight processors itself. Or the workers of a Ray cluster, which must see the pictures
            under the same paths; as for :meth:`add`. This process writes the files, which are the
            same on processors of the same kind. The current pictures of a killed worker are
            activated again.
        progress : callable, Observer or None
            Called with a :class:`Progress` for each picture, once it is recorded: `result` is its
            outcome. An :class:`~homing.archive.ingest.run.Observer` is also called when a
            picture is begun and worked on, and may stop the run early.

        Returns
        -------
        Report
            One outcome per picture; bad pictures have their reasons.

        Raises
        ------
        CodebookError
            One of `also` cannot be found, or is of another descriptor.
        UsageError
            An option is out of range, a codebook is given twice, files cannot be signed, or workers
            fail as for :meth:`add`.
        DescriptorError
            Other processes cannot load the archive's descriptor: it is a Python function.
        """
        from homing.activation import Activator
        from homing.archive.ingest.release import ReleaseRun, release
        from homing.archive.ingest.sign import Seal
        from homing.images.encode import find_kind

        options = Activation.of(self.release, activation)
        self._table.begin_writing()
        refuse_store(out)
        observer = Observer.of(progress)
        inputs, folder = self.inputs(photos, manifest), Path(out)
        observer.planned(len(inputs))
        own = [self.path] if isinstance(self.path, Path) else []
        refuse_output(folder, [*as_paths(photos), *own])
        refuse_clashes(inputs, find_kind(options.format) if options.format else None, folder)
        generation, codebook = self._newest()
        _log.info("releasing %d pictures of %s into %s", len(inputs), self.path, folder)
        with open_workforce(workers) as workforce:
            descriptor = self._descriptor_beside(workforce)
            options = replace(options, also=choose_codebooks(options.also, descriptor))
            make = partial(
                Activator.of,
                codebook=codebook,
                activation=options,
                limits=limits,
                preview=self.settings.previews,
            )
            activator = make(descriptor)
            run = ReleaseRun(
                self._table,
                activator,
                folder,
                self.path,
                self.preview_store,
                owner=self.settings.identity,
                activation=options,
                generation=generation,
                seal=Seal.of(c2pa, activator) if c2pa is not None else None,
                activate=self._activate_by(workforce, make),
                observer=observer,
            )
            with contextlib.closing(release(run, inputs)) as outcomes:
                folders = as_paths(photos) if manifest is None else ()
                report = collect(outcomes, len(inputs), observer.progress, folders)
        self._keep_calibrated()
        return report

    def _descriptor_beside(self, workforce: Workforce | None) -> "Descriptor":
        """Descriptor of this process; with workers, loaded as they load it, on the CPU."""
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
        progress: OnProgress | Observer | None = None,
    ) -> Report:
        """Record pictures as they are.

        A further run does what is left to do and nothing else, also after a crash.

        Parameters
        ----------
        photos, manifest, limits, progress
            As for :meth:`release`.
        workers : int or str
            Processes that read and describe pictures at the same time; 1 is this one alone. Or the
            workers of a Ray cluster, which must see archive and pictures under the same paths:
            "ray://HOST:PORT"; "ray" is the one that ``RAY_ADDRESS`` names, or this machine's
            processors. Entries are the same. The current pictures of a killed worker are described
            again.

        Returns
        -------
        Report
            One outcome per picture, in the order given; bad pictures have their reasons.

        Raises
        ------
        UsageError
            Workers die repeatedly over the same pictures, a Ray cluster cannot be reached, or its
            machines do not see the pictures.
        DescriptorError
            Other processes cannot load the archive's descriptor: it is a Python function.
        """
        from homing.archive.ingest.add import add

        self._table.begin_writing()
        observer = Observer.of(progress)
        inputs = self.inputs(photos, manifest)
        observer.planned(len(inputs))
        _log.info("adding %d pictures to %s", len(inputs), self.path)
        with open_workforce(workers) as workforce:
            described = self._described(inputs, limits, workforce, observer)
            outcomes = add(self._table, self.preview_store, *self._newest(), described)
            with contextlib.closing(outcomes):
                folders = as_paths(photos) if manifest is None else ()
                report = collect(outcomes, len(inputs), observer.progress, folders)
        self._keep_calibrated()
        return report

    def annotate(
        self,
        metadata: PathLike | Mapping[str, Mapping[str, Any]],
        *,
        folder: PathLike | None = None,
        progress: OnProgress | Observer | None = None,
    ) -> Report:
        """Record captions and other metadata of entries that are there already.

        Fields given are set, and all others stay. A further run does what is left to do and nothing
        else.

        Parameters
        ----------
        metadata : path or mapping
            A list of pictures as for :meth:`release`, whose empty values change nothing. Or fields
            by id, where None removes a field.
        folder : path or None
            That given to :meth:`release` beside the list, if its paths are absolute.
        progress : callable or None
            Called with a :class:`Progress` for each entry, once it is recorded.

        Returns
        -------
        Report
            One outcome per entry: "annotated", "skipped" where it has these fields already, or
            "failed" where no entry has the id.

        Raises
        ------
        UsageError
            The list cannot be read or has no such fields, or some are no JSON.

        Examples
        --------
        >>> archive.annotate("photos.csv")
        >>> archive.annotate({"sea/1.jpg": {"caption": "Low tide", "credit": None}})
        """
        from homing.archive.ingest.annotate import annotate, as_annotations

        self._table.begin_writing()
        observer = Observer.of(progress)
        given = as_annotations(metadata, None if folder is None else Path(folder))
        observer.planned(len(given))
        _log.info("annotating %d entries of %s", len(given), self.path)
        with contextlib.closing(annotate(self._table, given, observer.worked)) as outcomes:
            return collect(outcomes, len(given), observer.progress)

    def _newest(self) -> tuple[int, Codebook]:
        """Number and codebook of the newest generation, for a whole run.

        Another process may adopt a newer one meanwhile.
        """
        codebooks = self.codebooks
        return len(codebooks), codebooks[-1]

    def _described(
        self,
        inputs: Sequence[Input],
        limits: Limits,
        workforce: Workforce | None,
        observer: Observer,
    ) -> "Iterator[DescribedInput]":
        if workforce is None:
            from homing.archive.ingest.describe import describe

            return describe(
                self._table,
                self.descriptor,
                inputs,
                archive=self.path,
                limits=limits,
                preview=self.settings.previews,
                observer=observer,
            )
        from homing.archive.ingest.by_workers import describe_by_workers

        described = describe_by_workers(
            self._table,
            self.settings,
            inputs,
            archive=self.path,
            limits=limits,
            device=self._device,
            workforce=workforce,
        )
        return _observed(described, observer)

    def inputs(
        self, photos: PathLike | Sequence[PathLike] = (), manifest: PathLike | None = None
    ) -> list[Input]:
        """List the pictures that :meth:`release` or :meth:`add` would work on."""
        return gather_inputs(as_paths(photos), Path(manifest) if manifest else None)


def _observed(
    described: "Iterator[DescribedInput]", observer: Observer
) -> "Iterator[DescribedInput]":
    """Tell an observer of the pictures that workers have described."""
    for each in described:
        (observer.worked if each.planned.to_do else observer.skipped)()
        yield each
