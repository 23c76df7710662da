"""Activating many pictures: decode, optimise in batches, lay on, code within the budget.

Each of a few workers takes a batch from its files to its results and then the next, so that all
processors are busy all the time, whatever the stages: there is nothing to wait for but one large
picture at a time. Batches have a fixed size (short ones are padded), which makes each picture's
result independent, bit by bit, of the pictures beside it: an interrupted run that goes on in other
batches writes the same files. Each network has one thread, however many processors there are, so
that the same files are written by one process and by several.
"""

import hashlib
import itertools
import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from homing.activation.loop import Batch, levels_of, optimise
from homing.activation.methods import Method, find_method
from homing.activation.objectives.objective import joint_objective
from homing.activation.picture_steps import (
    FOR_AIMS,
    Finished,
    Prepared,
    Source,
    assemble,
    draw_looks,
    finish,
    largest_change,
    level_of,
    prepare,
)
from homing.activation.recorded_vectors import recorded_vectors
from homing.activation.simulated_edits.looks import NO_EDITS
from homing.activation.target_cells import aims_of
from homing.codebooks import Codebook
from homing.descriptors import Descriptor
from homing.descriptors.workers import map_in_order
from homing.errors import PictureError, UsageError
from homing.images import KINDS, Kind, Picture, encodings, read_picture
from homing.options import DEFAULT_LIMITS, Activation, Limits

BATCH = 4  # pictures optimised together: more gains nothing, and one picture alone pays for all
_KEEP_PIXELS = 4_000_000  # larger pictures are decoded again rather than kept while they wait


@dataclass(frozen=True)
class Activated:
    """A picture activated and coded.

    Attributes
    ----------
    data : bytes
        The file to be written.
    psnr : float
        dB, of the file against its source; ``inf`` if their pixels are equal.
    ssim : float or None
        Structural similarity of the luminance; None below 7 pixels a side.
    vector : array (D,), float32
        To be recorded: see :func:`~homing.activation.recorded_vectors.recorded_vectors`.
    cell_kept : bool
        Whether the file falls in the cell that it was activated for.
    also_kept : tuple of bool
        The same for each further codebook.
    source_sha256 : bytes
        Of the source file.
    kind : str
        Kind of the file.
    width, height : int
        As stored.
    notes : tuple of str
        What was not kept or not possible.
    """

    data: bytes = field(repr=False)
    psnr: float
    ssim: float | None
    vector: NDArray[np.float32] = field(repr=False)
    cell_kept: bool
    also_kept: tuple[bool, ...]
    source_sha256: bytes
    kind: str
    width: int
    height: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Activator:
    """All that the activation of a run of pictures needs.

    Attributes
    ----------
    descriptor, codebook
        What the pictures are activated for.
    method : Method
        Loop settings and objective.
    psnr : float
        Least PSNR of every file, dB.
    seed : int
        Of the initial noise and of the edits drawn.
    limits : Limits
        Bounds on decoding.
    format : str or None
        Format of the files written; None keeps each picture's own.
    also : tuple of Codebook
        Further codebooks of the descriptor that the same change serves.

    Raises
    ------
    UsageError
        The PSNR is not a positive number, the seed is negative, or a codebook comes twice.
    CodebookError
        A codebook is of another descriptor.
    """

    descriptor: Descriptor
    codebook: Codebook
    method: Method
    psnr: float = Activation.psnr
    seed: int = Activation.seed
    limits: Limits = DEFAULT_LIMITS
    format: str | None = Activation.format
    also: tuple[Codebook, ...] = ()
    _large: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _device: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.psnr < math.inf or self.seed < 0:
            raise UsageError(
                f"a PSNR of {self.psnr:g} dB and the seed {self.seed}: give a PSNR above 0 "
                "(42 by default) and a seed of at least 0"
            )
        for codebook in self.codebooks:
            codebook.check_descriptor(
                self.descriptor.name, self.descriptor.fingerprint, self.descriptor.dimension
            )
            if self.codebooks.count(codebook) > 1:
                raise UsageError(
                    f"the codebook {codebook.title} is given twice: give each codebook once"
                )

    @classmethod
    def of(
        cls,
        descriptor: Descriptor,
        codebook: Codebook,
        activation: Activation,
        limits: Limits = DEFAULT_LIMITS,
    ) -> "Activator":
        """Return the activator of some options, whose further codebooks are loaded."""
        return cls(
            descriptor,
            codebook,
            find_method(activation.method),
            psnr=activation.psnr,
            seed=activation.seed,
            limits=limits,
            format=activation.format,
            also=cast("tuple[Codebook, ...]", activation.also),
        )

    @property
    def kind(self) -> Kind | None:
        """Kind of the files written; None: each picture's own."""
        return None if self.format is None else KINDS[f".{self.format.lower()}"]

    @property
    def codebooks(self) -> tuple[Codebook, ...]:
        """All that the pictures are activated for, `codebook` first."""
        return (self.codebook, *self.also)

    def run(self, sources: Iterable[Source]) -> Iterator[Activated | PictureError]:
        """Activate pictures in their order; a bad one gives its error in its place.

        Memory holds a batch for each worker and one more, whatever the length of `sources`.
        """
        rest = iter(sources)
        batches = iter(lambda: list(itertools.islice(rest, BATCH)), [])
        for results in map_in_order(self._activate, batches, threads=1):
            yield from results

    def _activate(self, batch: Sequence[Source]) -> list[Activated | PictureError]:
        prepared = [self._prepare(source) for source in batch]
        with self._network():
            optimised = self._optimise(prepared)
        del prepared
        finished = [self._finish(item) for item in optimised]
        del optimised
        with self._network():
            return list(self._describe(finished))

    def _network(self) -> AbstractContextManager[object]:
        # An accelerator holds one batch at a time; its memory is not shared out.
        return nullcontext() if self.descriptor.device.type == "cpu" else self._device

    def _prepare(self, source: Source) -> Prepared | PictureError:
        small = replace(self.limits, max_pixels=min(_KEEP_PIXELS, self.limits.max_pixels))
        try:
            return self._prepared(source, self._read(source, small), keep=True)
        except PictureError:
            pass  # large, or bad: the second reading says which
        try:
            # One large picture at a time: its full-size arrays set the peak of memory.
            with self._large:
                return self._prepared(source, self._read(source, self.limits), keep=False)
        except PictureError as error:
            return error

    def _prepared(self, source: Source, picture: Picture, *, keep: bool) -> Prepared:
        encodings(picture, self.kind)  # refuses, before the work, what the kind cannot hold
        return prepare(
            source,
            picture,
            self.descriptor.input_size,
            limits=self.limits,
            keep=keep,
            masking=self.method.masking,
            enlarged=self.method.settings.edits.shaped + self.method.foreseen.shaped > 0,
        )

    def _read(self, source: Source, limits: Limits) -> Picture:
        return source if isinstance(source, Picture) else read_picture(source, limits=limits)

    def _optimise(
        self, batch: Sequence[Prepared | PictureError]
    ) -> "list[_Optimised | PictureError]":
        prepared = [item for item in batch if isinstance(item, Prepared)]
        if not prepared:
            return [item for item in batch if isinstance(item, PictureError)]
        padded = [*prepared, *itertools.repeat(prepared[0], BATCH - len(prepared))]
        vectors = self.descriptor.describe_squashed(
            np.stack([p.squashed for p in padded]), batch=BATCH, pad=True
        )
        device, settings = self.descriptor.device, self.method.settings
        masking = self.method.masking
        largest = [largest_change(p, self.psnr) for p in padded]
        assembled = assemble(
            padded,
            settings=settings,
            largest=largest,
            seed=self.seed,
            device=device,
            masking=masking,
        )
        aims = self._aims(padded, assembled, vectors)
        cells = [each.cells(aims) for each in self.codebooks]
        objective = joint_objective(
            [
                self.method.objective(each, vectors, aimed, settings, device)
                for each, aimed in zip(self.codebooks, cells, strict=True)
            ]
        )
        shares = optimise(assembled, self.descriptor.forward, objective, settings)
        levels = self._levels(padded, largest, assembled, shares)
        found = (
            _Optimised(p, share, level, vector, cells)
            for p, share, level, vector, cells in zip(
                prepared,
                shares.permute(0, 2, 3, 1).cpu().numpy(),
                levels,
                vectors,
                _by_picture(cells),
                strict=False,
            )
        )
        return [next(found) if isinstance(item, Prepared) else item for item in batch]

    def _aims(
        self, prepared: Sequence[Prepared], batch: Batch, vectors: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Descriptors whose cells the pictures are to be in."""
        foreseen = self.method.foreseen
        if foreseen == NO_EDITS or all(each.cell_count == 1 for each in self.codebooks):
            return vectors
        drawn = draw_looks(prepared, foreseen, 1, seed=self.seed, purpose=FOR_AIMS)
        return aims_of(batch.pictures, batch.detail, drawn, vectors, self.descriptor.forward)

    def _levels(
        self,
        prepared: Sequence[Prepared],
        largest: Sequence[float],
        batch: Batch,
        shares: torch.Tensor,
    ) -> list[float]:
        """Share of the budget's root mean square that each picture's change may take."""
        most = [level_of(p, self.psnr, each) for p, each in zip(prepared, largest, strict=True)]
        if self.method.settings.ease == 1:
            return most
        used = levels_of(batch, shares).tolist()
        return [u * m for u, m in zip(used, most, strict=True)]

    def _cells(self, vectors: NDArray[np.float32]) -> list["_Cells"]:
        """Cells of each vector, one a codebook."""
        return _by_picture([each.cells(vectors) for each in self.codebooks])

    def _finish(self, item: "_Optimised | PictureError") -> "_Finished | PictureError":
        if isinstance(item, PictureError):
            return item
        kept = item.prepared.kept
        try:
            if kept is not None:
                return _Finished(self._code(item, kept[0]), item.vector, item.cells)
            with self._large:
                finished = self._code(item, self._read_again(item.prepared))
            return _Finished(finished, item.vector, item.cells)
        except PictureError as error:
            return error

    def _read_again(self, prepared: Prepared) -> Picture:
        picture = self._read(prepared.source, self.limits)
        if hashlib.sha256(picture.encoded).digest() != prepared.sha256:
            raise PictureError("it changed while it was being activated; give it again")
        return picture

    def _code(self, item: "_Optimised", picture: Picture) -> Finished:
        return finish(
            item.prepared,
            picture,
            item.shares,
            budget=self.psnr,
            kind=self.kind,
            limits=self.limits,
            masking=self.method.masking,
            least_ssim=self.method.least_ssim,
            level=item.level,
        )

    def _describe(
        self, batch: "Sequence[_Finished | PictureError]"
    ) -> Iterator[Activated | PictureError]:
        good = [item for item in batch if isinstance(item, _Finished)]
        if good:
            files = self.descriptor.describe_squashed(
                np.stack([item.finished.squashed for item in good]), batch=BATCH, pad=True
            )
            recorded = recorded_vectors(
                self.codebook, np.stack([item.vector for item in good]), files
            )
            described = iter(zip(recorded, self._cells(files), strict=True))
        for item in batch:
            if isinstance(item, _Finished):
                vector, cells = next(described)
                kept = [a == b for a, b in zip(cells, item.cells, strict=True)]
                yield _activated(item.finished, vector, kept)
            else:
                yield item


_Cells = tuple[int, ...]  # of one picture, one a codebook


@dataclass(frozen=True)
class _Optimised:
    prepared: Prepared
    shares: NDArray[np.float32]  # (S, S, 3), upright
    level: float  # of the budget that the change may use
    vector: NDArray[np.float32]  # of the source
    cells: _Cells  # aimed at


@dataclass(frozen=True)
class _Finished:
    finished: Finished
    vector: NDArray[np.float32]  # of the source
    cells: _Cells


def _by_picture(cells: Sequence[NDArray[np.int32]]) -> list[_Cells]:
    return list(zip(*(each.tolist() for each in cells), strict=True))


def _activated(finished: Finished, vector: NDArray[np.float32], kept: Sequence[bool]) -> Activated:
    return Activated(
        data=finished.data,
        psnr=finished.psnr,
        ssim=finished.ssim,
        vector=vector,
        cell_kept=kept[0],
        also_kept=tuple(kept[1:]),
        source_sha256=finished.source_sha256,
        kind=finished.kind,
        width=finished.width,
        height=finished.height,
        notes=finished.notes,
    )
