"""Activation of many pictures: decode, optimise in batches, apply, code within the budget.

Each of a few workers takes a batch from its files to its results and then the next, so that all
processors stay busy whatever the stages: workers wait for each other only for one large picture at
a time. Batches have a fixed size (short ones are padded), which makes each picture's result
independent, bit by bit, of the pictures beside it: an interrupted run that goes on in other batches
writes the same files. Each network has one thread, however many processors there are, so that one
process and several write the same files.
"""

import hashlib
import itertools
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray

from homing.activation.budget import LARGEST_SCALE
from homing.activation.finished import FileRules, FinishedPicture, finish
from homing.activation.loop import Batch, budget_shares, optimise
from homing.activation.methods import Method, find_method
from homing.activation.objectives.objective import Targets, joint_objective
from homing.activation.prepared import (
    LOOKAHEAD_DRAWS,
    PictureSource,
    PreparedPicture,
    assemble,
    draw_for,
    prepare,
)
from homing.activation.simulated_edits.edits import NO_EDITS
from homing.activation.vectors import recorded_vectors, target_vectors
from homing.codebooks.any_codebook import AnyCodebook
from homing.descriptors.workers import map_in_order
from homing.errors import PictureError, UsageError
from homing.images.encode import encodings, find_kind
from homing.images.kinds import Kind
from homing.images.picture import Picture, read_picture
from homing.options import DEFAULT_LIMITS, Activation, Limits
from homing.workers.memory import return_freed_memory

if TYPE_CHECKING:
    from homing.descriptors.descriptor import Descriptor

BATCH = 4  # pictures optimised together: more gains nothing, and one picture alone pays for all
_WHOLE = 0.99  # share of the budget from which a change fills it
_HELD_PIXELS = 4_000_000  # larger pictures are decoded again rather than held while they wait

_Vectors = NDArray[np.float32]
_Cells = tuple[int, ...]  # of one picture, one a codebook


@dataclass(frozen=True)
class Activated:
    """A picture activated and coded."""

    data: bytes = field(repr=False)  # the file to be written
    psnr: float  # dB, of the file against its source; inf if their pixels are equal
    ssim: float | None  # of the luminance; None below 7 pixels a side
    ssimulacra2: float | None  # as seen, see `homing.images.seen`; None below 8 pixels a side
    vector: _Vectors = field(repr=False)  # (D,), to be recorded: see `recorded_vectors`
    cell_kept: bool  # whether the file falls in its target cell
    also_kept: tuple[bool, ...]  # the same for each further codebook
    source_sha256: bytes
    kind: str  # kind of the file
    width: int  # as stored
    height: int
    notes: tuple[str, ...]  # on what was lost or not possible
    preview: bytes | None = field(default=None, repr=False)  # of the file, if wanted


@dataclass(frozen=True)
class Activator:
    """Activation of pictures for one or more codebooks, with all its settings.

    Raises `UsageError` if the PSNR is not a positive number, the seed is negative, or a codebook is
    given twice, and `CodebookError` if a codebook is of another descriptor.
    """

    descriptor: "Descriptor"
    codebook: AnyCodebook
    method: Method
    psnr: float = Activation.psnr  # least, dB
    seed: int = Activation.seed  # of the initial noise and of the simulated edits
    limits: Limits = DEFAULT_LIMITS
    format: str | None = Activation.format  # None: each picture's own
    also: tuple[AnyCodebook, ...] = ()  # further codebooks that the same change serves
    preview: int = 0  # longer side of the previews made of the files, pixels; 0: none
    _large: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _device: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.psnr < math.inf or self.seed < 0:
            raise UsageError(
                f"a PSNR of {self.psnr:g} dB and the seed {self.seed}: give a PSNR above 0 "
                "(42 by default) and a seed of at least 0"
            )
        _ = self.kind  # an unknown format is refused here
        for codebook in self.codebooks:
            if not isinstance(codebook, AnyCodebook):
                raise UsageError(f"{codebook!r} is no codebook: load it with homing.load_codebook")
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
        descriptor: "Descriptor",
        codebook: AnyCodebook,
        activation: Activation,
        limits: Limits = DEFAULT_LIMITS,
        preview: int = 0,
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
            also=cast("tuple[AnyCodebook, ...]", activation.also),
            preview=preview,
        )

    @property
    def kind(self) -> Kind | None:
        """Kind of the files written; None: each picture's own."""
        return None if self.format is None else find_kind(self.format)

    @property
    def codebooks(self) -> tuple[AnyCodebook, ...]:
        """All codebooks that the pictures are activated for, `codebook` first."""
        return (self.codebook, *self.also)

    def run(
        self, sources: Iterable[PictureSource], worked: Callable[[], None] = lambda: None
    ) -> Iterator[Activated | PictureError]:
        """Activate pictures in their order; a bad one gives its error in its place.

        `worked` is called by any thread after each, before those of its batch are yielded.
        Memory holds a batch for each worker and one more, whatever the length of `sources`.
        """
        rest = iter(sources)
        batches = iter(lambda: list(itertools.islice(rest, BATCH)), [])
        activate = partial(self._activate, worked)
        for results in map_in_order(activate, batches, threads=1):
            yield from results

    def _activate(
        self, worked: Callable[[], None], batch: Sequence[PictureSource]
    ) -> list[Activated | PictureError]:
        prepared = [self._prepare(source) for source in batch]
        with self._network():
            optimised = self._optimise(prepared)
        del prepared
        finished = []
        for item in optimised:
            finished.append(self._finish(item))
            worked()
        del optimised
        with self._network():
            return list(self._describe(finished))

    def _network(self) -> AbstractContextManager[object]:
        # An accelerator holds one batch at a time; its memory is not shared out.
        return nullcontext() if self.descriptor.device.type == "cpu" else self._device

    def _prepare(self, source: PictureSource) -> PreparedPicture | PictureError:
        small = replace(self.limits, max_pixels=min(_HELD_PIXELS, self.limits.max_pixels))
        try:
            return self._prepare_read(source, self._read(source, small), hold=True)
        except PictureError:
            pass  # large, or bad: the second reading decides
        try:
            # One large picture at a time: its full-size arrays set the peak of memory.
            with self._large:
                return self._prepare_read(source, self._read(source, self.limits), hold=False)
        except PictureError as error:
            return error

    def _prepare_read(
        self, source: PictureSource, picture: Picture, *, hold: bool
    ) -> PreparedPicture:
        encodings(picture, self.kind)  # refuses, before the work, what the kind cannot hold
        return prepare(
            source,
            picture,
            self.descriptor.input_size,
            limits=self.limits,
            hold=hold,
            masking=self.method.masking,
            enlarged=self.method.settings.edits.shaped + self.method.lookahead.shaped > 0,
        )

    def _read(self, source: PictureSource, limits: Limits) -> Picture:
        return source if isinstance(source, Picture) else read_picture(source, limits=limits)

    def _optimise(
        self, batch: Sequence[PreparedPicture | PictureError]
    ) -> "list[_Optimised | PictureError]":
        prepared = [item for item in batch if isinstance(item, PreparedPicture)]
        if not prepared:
            return [item for item in batch if isinstance(item, PictureError)]
        padded = [*prepared, *itertools.repeat(prepared[0], BATCH - len(prepared))]
        vectors = self.descriptor.describe_squashed(
            np.stack([p.grids.squashed for p in padded]), batch=BATCH, pad=True
        )
        device, settings = self.descriptor.device, self.method.settings
        assembled = assemble(
            padded,
            settings=settings,
            psnr=self.psnr,
            masking=self.method.masking,
            seed=self.seed,
            device=device,
        )
        aimed_at = self._target_vectors(padded, assembled, vectors)
        targets = [Targets(each, vectors, each.cells(aimed_at)) for each in self.codebooks]
        objective = joint_objective(
            [self.method.objective(each, settings, device) for each in targets]
        )
        gain = optimise(assembled, self.descriptor.forward, objective, settings)
        optimised = itertools.starmap(
            _Optimised,
            zip(
                prepared,
                gain.permute(0, 2, 3, 1).cpu().numpy(),
                self._largest_scales(assembled, gain),
                vectors,
                _by_picture([each.cells for each in targets]),
                strict=False,
            ),
        )
        return [next(optimised) if isinstance(item, PreparedPicture) else item for item in batch]

    def _target_vectors(
        self, prepared: Sequence[PreparedPicture], batch: Batch, vectors: _Vectors
    ) -> _Vectors:
        """Return the descriptors, (B, D), whose cells are the target cells."""
        lookahead = self.method.lookahead
        if lookahead == NO_EDITS or all(each.cell_count == 1 for each in self.codebooks):
            return vectors
        drawn = draw_for(prepared, lookahead, 1, seed=self.seed, purpose=LOOKAHEAD_DRAWS)
        forward = self.descriptor.forward
        return target_vectors(batch.pictures, batch.originals, drawn, vectors, forward)

    def _largest_scales(self, batch: Batch, gain: torch.Tensor) -> list[float]:
        """Return the scale up to which the change of each picture may be enlarged."""
        whole = self.method.masking.unseen_gain is None and self.method.settings.shrink == 1
        shares = [1.0] * len(gain) if whole else budget_shares(batch, gain).tolist()
        return [LARGEST_SCALE if share >= _WHOLE else 1.0 for share in shares]

    def _finish(self, item: "_Optimised | PictureError") -> "_Finished | PictureError":
        if isinstance(item, PictureError):
            return item
        full = item.prepared.full
        try:
            if full is not None:
                return self._finish_full(item, full.picture)
            with self._large:
                return_freed_memory()  # of the network
                return self._finish_full(item, self._read_again(item.prepared))
        except PictureError as error:
            return error

    def _read_again(self, prepared: PreparedPicture) -> Picture:
        picture = self._read(prepared.source, self.limits)
        if hashlib.sha256(picture.encoded).digest() != prepared.sha256:
            raise PictureError("it changed while it was being activated; give it again")
        return picture

    def _finish_full(self, item: "_Optimised", picture: Picture) -> "_Finished":
        least, masking = self.method.least_visible, self.method.masking
        rules = FileRules(self.psnr, self.kind, self.limits, least, self.preview)
        finished = finish(item.prepared, picture, masking, item.gain, item.largest, rules)
        return _Finished(finished, item.vector, item.cells)

    def _describe(
        self, batch: "Sequence[_Finished | PictureError]"
    ) -> Iterator[Activated | PictureError]:
        good = [item for item in batch if isinstance(item, _Finished)]
        if good:
            files = self.descriptor.describe_squashed(
                np.stack([item.picture.squashed for item in good]), batch=BATCH, pad=True
            )
            recorded = recorded_vectors(
                self.codebook, np.stack([item.vector for item in good]), files
            )
            cells = _by_picture([each.cells(files) for each in self.codebooks])
            described = iter(zip(recorded, cells, strict=True))
        for item in batch:
            yield _activated(item, *next(described)) if isinstance(item, _Finished) else item


@dataclass(frozen=True)
class _Optimised:
    prepared: PreparedPicture
    gain: NDArray[np.float32]  # (S, S, 3), or (S, S, 1) if all change alike; upright
    largest: float  # scale of the change
    vector: _Vectors  # (D,), of the source
    cells: _Cells  # target cells


@dataclass(frozen=True)
class _Finished:
    picture: FinishedPicture
    vector: _Vectors  # (D,), of the source
    cells: _Cells  # target cells


def _by_picture(cells: Sequence[NDArray[np.int32]]) -> list[_Cells]:
    return list(zip(*(each.tolist() for each in cells), strict=True))


def _activated(item: _Finished, vector: _Vectors, cells: _Cells) -> Activated:
    finished = item.picture
    in_cell = [cell == target for cell, target in zip(cells, item.cells, strict=True)]
    return Activated(
        data=finished.data,
        psnr=finished.psnr,
        ssim=finished.ssim,
        ssimulacra2=finished.ssimulacra2,
        vector=vector,
        cell_kept=in_cell[0],
        also_kept=tuple(in_cell[1:]),
        source_sha256=finished.source_sha256,
        kind=finished.kind,
        width=finished.width,
        height=finished.height,
        notes=finished.notes,
        preview=finished.preview,
    )
