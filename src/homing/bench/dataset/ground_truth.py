"""What the base holds once files that could not be read are gone, and which answers are right."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from homing.bench.dataset.material import Index, Material
from homing.bench.dataset.near_duplicates import Twins
from homing.bench.encode.encoders import Encoder
from homing.bench.search.copy_detection import Detection
from homing.bench.search.engine import padded

_MOST_COPIES = 1000  # pictures whose random copies copy detection looks for

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Judged:
    """What is searched, and what is right; the same for every encoder and state.

    Attributes
    ----------
    material : Material
    kept : ndarray, int64
        Numbers of the photographs that are searched for; the first entries of the base.
    twins, strange : Twins
        Of the photographs, and of those that are not in the base.
    """

    material: Material
    kept: Rows
    twins: Twins
    strange: Twins

    @cached_property
    def index(self) -> Index:
        """Rows of the base that are searched, close together."""
        made = self.material.entries.made
        made[: len(self.material.plan.photos)] = False
        made[self.kept] = True
        return Index.of(made)

    @cached_property
    def right(self) -> list[Rows]:
        """For each photograph the places that are right: its own, then its twins'."""
        found = self.twins.by_picture(len(self.material.plan.photos))
        return [
            self.index.places(np.concatenate([[photo], rows])) for photo, rows in enumerate(found)
        ]

    @cached_property
    def padded_right(self) -> Rows:
        """The same as one array, (photos, w)."""
        return padded(self.right)

    @cached_property
    def ignored(self) -> list[Rows]:
        """For each picture that is not in the base the places of its twins."""
        found = self.strange.by_picture(len(self.material.unmatched))
        return [self.index.places(rows) for rows in found]

    def among(self, pictures: Rows | None = None) -> Flags:
        """For each copy whether it is of a photograph that is kept, or of one of `pictures`."""
        keep = np.zeros(len(self.material.plan.photos), bool)
        keep[self.kept if pictures is None else pictures] = True
        return keep[self.material.queries.pictures]

    def detection(
        self, encoder: Encoder, copies: Vectors, blank: Flags, searched: Flags
    ) -> Detection | None:
        """Choose the queries of copy detection.

        Parameters
        ----------
        encoder : Encoder
        copies : ndarray, float32
            Vectors of all copies of the photographs.
        blank : ndarray, bool
            Which of these show nothing.
        searched : ndarray, bool
            Which of these there are.

        Returns
        -------
        Detection or None
            None where no edit is random.
        """
        material, rows = self.material, self.material.queries.rows
        drawn = [n for n, row in enumerate(rows) if row.edit.random and row.draw == 0]
        if not drawn:
            return None
        first = material.queries.of(drawn[0])
        some = self.kept[:_MOST_COPIES]
        photos = some[searched[first[some]]]
        sizes = [len(task.recipes) for task in material.unmatched]
        owner = np.repeat(np.arange(len(sizes)), sizes)
        # Of a picture that cannot be read itself, no twins could be sought.
        edited = material.others.made & material.others.made[material.originals][owner]
        edited[material.originals] = False
        others = encoder.vectors(material.others.rows[encoder.name][edited])
        picture = np.concatenate([photos, owner[edited]])
        return Detection(
            np.concatenate([copies[first[photos]], others]),
            [self.right[photo] for photo in photos]
            + [self.ignored[each] for each in owner[edited]],
            np.arange(len(picture)) < len(photos),
            picture,
            np.concatenate([blank[first[photos]], material.others.blank[edited]]),
            encoder.vectors(material.scale.rows[encoder.name][material.scale.made]),
        )
