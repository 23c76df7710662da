"""The maker of states: releases photographs for a codebook, and describes them and their copies."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from homing.activation import Method, recorded_vectors
from homing.bench.context import Run
from homing.bench.dataset.material import Material
from homing.bench.dataset.queries import Queries
from homing.bench.encode.encoders import Encoder
from homing.bench.encode.pipeline import encode
from homing.bench.encode.rows import EncodedRows
from homing.bench.encode.variants import Task, Whole
from homing.bench.states.codebooks import Quantizer, find_quantizer
from homing.bench.states.released import Release, Releaser
from homing.bench.states.state import State

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class StateMaker:
    """The descriptor, also as an encoder, and the resources to release and describe with it."""

    descriptor: "Descriptor"
    encoder: Encoder
    run: Run
    releaser: Releaser
    seed: int

    def find_quantizer(self, name: str, distractors: npt.NDArray[np.float32]) -> Quantizer:
        """Find or train a codebook; see :func:`~homing.bench.states.codebooks.find_quantizer`."""
        return find_quantizer(name, self.descriptor, distractors, self.run.cache, self.seed)

    def encode(self, tasks: Sequence[Task], title: str) -> EncodedRows:
        """Encode tasks by the descriptor."""
        return encode(tasks, [self.encoder], self.run, title)

    def release(
        self,
        material: Material,
        passive: State,
        quantizer: Quantizer,
        method: Method,
        pictures: Rows | None = None,
        releaser: Releaser | None = None,
    ) -> State:
        """Release photographs for a codebook; describe them and their copies.

        `pictures` are the numbers of photographs to release (None: all); another `releaser` has
        other settings than the run's.
        """
        release = (releaser or self.releaser).release(
            material.plan.photos,
            method,
            quantizer.codebook,
            f"releasing by {method.name} for {quantizer.name}",
            chosen=None if pictures is None else pictures.tolist(),
        )
        return self.describe(
            passive, material.queries, release.paths, method.name, quantizer, release
        )

    def describe(
        self,
        passive: State,
        queries: Queries,
        files: Sequence[Path | None],
        method: str,
        quantizer: Quantizer,
        release: Release | None = None,
    ) -> State:
        """Describe files of the photographs, one each or None, and their edited copies.

        `passive` has the same photographs untouched, and `queries` copies of all of them; the files
        were activated for the codebook of `quantizer`.
        """
        copies = queries.of_files(files)
        wholes = [Task(task.path, task.name, (Whole(),)) for task in copies.tasks]
        title = f"{method} for {quantizer.name}"
        described = self.encode(wholes, f"{title}: files")
        edited = self.encode(copies.tasks, f"{title}: edited copies")
        given = np.array([file is not None for file in files], dtype=bool)
        present = given.copy()
        present[given] = described.made
        rows = np.repeat(given, len(queries.rows))
        made, reasons = np.zeros(len(rows), bool), np.full(len(rows), "not released", dtype=object)
        made[rows] = edited.made & np.repeat(present[given], len(queries.rows))
        reasons[rows] = edited.reasons
        vectors = np.zeros((len(rows), self.encoder.dimension), np.float32)
        vectors[rows] = edited.rows[self.encoder.name]
        blank = np.zeros(len(rows), bool)
        blank[rows] = edited.blank
        entries = passive.entries.copy()
        files_described = described.rows[self.encoder.name][described.made]
        entries[present] = recorded_vectors(quantizer.codebook, entries[present], files_described)
        return State(
            method, quantizer.name, entries, present, vectors, made, tuple(reasons.tolist()),
            blank, tuple(files), release,
        )  # fmt: skip
