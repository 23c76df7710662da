"""The states of the photographs: as they are, or released by a method for a codebook.

A state says what stands for the photographs in the base, and what their edited copies look like.
All states are measured on the same photographs, the same edits and the same draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from homing.activation import recorded_vectors
from homing.bench.context import Run
from homing.bench.dataset.ground_truth import Judged
from homing.bench.dataset.material import Material
from homing.bench.dataset.queries import Queries
from homing.bench.encode.describe import encode
from homing.bench.encode.encoders import Encoder
from homing.bench.encode.rows import Encoded
from homing.bench.encode.variants import Task, Whole
from homing.bench.states.codebooks import Quantizer
from homing.bench.states.released import Release

PASSIVE = "passive"
"""What photographs are called that are as they were."""

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class State:
    """Photographs in one state.

    Attributes
    ----------
    method : str
        Of activation; or :data:`PASSIVE`.
    aimed : str or None
        Name of the codebook that they were activated for.
    entries : ndarray, shape (photos, d), float32
        What stands for them in the base; those not in this state as they are.
    present : ndarray, shape (photos,), bool
        Which are in this state.
    copies : ndarray, shape (photos · rows, d), float32
        Their edited copies.
    made : ndarray, shape (photos · rows,), bool
    reasons : tuple of (str or None)
        Why a copy could not be made.
    blank : ndarray, shape (photos · rows,), bool
        Which copies show nothing.
    files : tuple of (Path or None)
        What was edited.
    release : Release or None
    """

    method: str
    aimed: str | None
    entries: Vectors = field(repr=False)
    present: Flags = field(repr=False)
    copies: Vectors = field(repr=False)
    made: Flags = field(repr=False)
    reasons: tuple[str | None, ...] = field(repr=False)
    blank: Flags = field(repr=False)
    files: tuple[Path | None, ...] = field(repr=False)
    release: Release | None = field(repr=False)


def passive_state(material: Material, encoder: Encoder) -> State:
    """The photographs as they are, by one encoder."""
    count = len(material.plan.photos)
    return State(
        PASSIVE,
        None,
        encoder.vectors(material.entries.rows[encoder.name][:count]),
        material.readable,
        encoder.vectors(material.copies.rows[encoder.name]),
        material.copies.made,
        material.copies.reasons,
        material.copies.blank,
        tuple(found.path for found in material.plan.photos),
        None,
    )


@dataclass(frozen=True, eq=False)
class Describer:
    """Makes and describes copies of released files.

    Attributes
    ----------
    encoder : Encoder
        Of the descriptor.
    run : Run
    """

    encoder: Encoder
    run: Run

    def tasks(self, tasks: Sequence[Task], title: str) -> Encoded:
        """Encode tasks."""
        return encode(tasks, [self.encoder], self.run, title)

    def state(
        self,
        passive: State,
        queries: Queries,
        files: Sequence[Path | None],
        method: str,
        quantizer: Quantizer,
        release: Release | None = None,
    ) -> State:
        """Describe files of the photographs and their edited copies.

        Parameters
        ----------
        passive : State
            The same photographs as they are.
        queries : Queries
            Copies of all photographs.
        files : sequence of (Path or None)
            One a photograph; None where there is none.
        method : str
            Of the state.
        quantizer : Quantizer
            With the codebook that the files were activated for.
        release : Release, optional
            Whose files they are.
        """
        copies = queries.of_files(files)
        wholes = [Task(task.path, task.name, (Whole(),)) for task in copies.tasks]
        title = f"{method} for {quantizer.name}"
        entries = self.tasks(wholes, f"{title}: files")
        edited = self.tasks(copies.tasks, f"{title}: edited copies")
        there = np.array([file is not None for file in files], dtype=bool)
        present = there.copy()
        present[there] = entries.made
        rows = np.repeat(there, len(queries.rows))
        made, reasons = np.zeros(len(rows), bool), np.full(len(rows), "not released", dtype=object)
        made[rows] = edited.made & np.repeat(present[there], len(queries.rows))
        reasons[rows] = edited.reasons
        vectors = np.zeros((len(rows), self.encoder.dimension), np.float32)
        vectors[rows] = edited.rows[self.encoder.name]
        blank = np.zeros(len(rows), bool)
        blank[rows] = edited.blank
        standing = passive.entries.copy()
        described = entries.rows[self.encoder.name][entries.made]
        standing[present] = recorded_vectors(quantizer.codebook, standing[present], described)
        return State(
            method, quantizer.name, standing, present, vectors, made, tuple(reasons.tolist()),
            blank, tuple(files), release,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Common(Judged):
    """What all states share: the base around the photographs, and what is right.

    Attributes
    ----------
    encoder : Encoder
        Of the descriptor.
    seed : int
    """

    encoder: Encoder
    seed: int

    @cached_property
    def others(self) -> Vectors:
        """Vectors of the distractors, in the order of the base."""
        return self.others_of(self.encoder)

    def others_of(self, encoder: Encoder) -> Vectors:
        """Vectors of the distractors by an encoder."""
        rows = self.index.rows[len(self.kept) :]
        return encoder.vectors(self.material.entries.rows[encoder.name][rows])

    def searched(self, state: State, pictures: Rows | None = None) -> Flags:
        """For each copy whether it is searched for: made, of a photograph that is kept.

        Parameters
        ----------
        state : State
        pictures : ndarray of int64, optional
            Copies of these photographs only.
        """
        return state.made & self.among(pictures)
