"""Ground truth: the entries that are searched, without unreadable files, and the right answers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from homing.bench.dataset.material import Material, RowSubset
from homing.bench.dataset.near_duplicates import NearDuplicates
from homing.bench.encode.encoders import Encoder
from homing.bench.search.copy_detection import DetectionQueries
from homing.bench.search.exact import pad_rows

_MOST_COPIES = 1000  # pictures whose random copies copy detection searches for

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """The searched entries and the right answers, the same for every encoder and state."""

    material: Material
    photos: Rows  # numbers of the photographs searched for; the first entries of the base
    near_duplicates: NearDuplicates  # of the photographs
    unmatched_near_duplicates: NearDuplicates  # of the photographs outside the base

    @cached_property
    def searched_rows(self) -> RowSubset:
        """Rows of the base that are searched."""
        made = self.material.entries.made
        made[: len(self.material.plan.photos)] = False
        made[self.photos] = True
        return RowSubset.flagged(made)

    @cached_property
    def right(self) -> list[Rows]:
        """For each photograph the right places: its own, then its near duplicates'."""
        found = self.near_duplicates.by_picture(len(self.material.plan.photos))
        return [
            self.searched_rows.places(np.concatenate([[photo], rows]))
            for photo, rows in enumerate(found)
        ]

    @cached_property
    def padded_right(self) -> Rows:
        """The right places as one array, (photos, w)."""
        return pad_rows(self.right)

    @cached_property
    def ignored(self) -> list[Rows]:
        """For each photograph outside the base the places of its near duplicates."""
        found = self.unmatched_near_duplicates.by_picture(len(self.material.unmatched))
        return [self.searched_rows.places(rows) for rows in found]

    def copies_of(self, pictures: Rows | None = None) -> Flags:
        """For each copy whether it is of one of `pictures`; of the photos searched for if None."""
        chosen = np.zeros(len(self.material.plan.photos), bool)
        chosen[self.photos if pictures is None else pictures] = True
        return chosen[self.material.queries.pictures]

    def detection_queries(
        self, encoder: Encoder, copies: Vectors, blank: Flags, searched: Flags
    ) -> DetectionQueries | None:
        """Choose the queries of copy detection; None if no edit is random.

        `copies` are the vectors of all copies of the photographs, of which some are `blank` and
        only some are `searched` for.
        """
        material, rows = self.material, self.material.queries.rows
        drawn = [n for n, row in enumerate(rows) if row.edit.random and row.draw == 0]
        if not drawn:
            return None
        first = material.queries.of(drawn[0])
        some = self.photos[:_MOST_COPIES]
        photos = some[searched[first[some]]]
        sizes = [len(task.recipes) for task in material.unmatched]
        owner = np.repeat(np.arange(len(sizes)), sizes)
        unmatched = material.unmatched_rows
        # The near duplicates of an unreadable picture are unknown, so its copies do not count.
        edited = unmatched.made & unmatched.made[material.originals][owner]
        edited[material.originals] = False
        others = encoder.vectors(unmatched.rows[encoder.name][edited])
        picture = np.concatenate([photos, owner[edited]])
        normalisation = material.normalisation
        return DetectionQueries(
            np.concatenate([copies[first[photos]], others]),
            [self.right[photo] for photo in photos]
            + [self.ignored[each] for each in owner[edited]],
            np.arange(len(picture)) < len(photos),
            picture,
            np.concatenate([blank[first[photos]], unmatched.blank[edited]]),
            encoder.vectors(normalisation.rows[encoder.name][normalisation.made]),
        )
