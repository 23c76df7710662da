"""Cost of a search by the number of cells: the choice among codebooks of one descriptor.

A search compares the query with every centroid, then reads the cells near it and compares their
codes. More cells are more centroids and shorter lists; and a few more cells are near.
"""

from dataclasses import dataclass

_NEAR, _GROWTH = 1.3, 0.1  # cells near a copy of a released picture, of 256, and with more of them
_PLACES = 2  # cells that a released picture is held in


@dataclass(frozen=True)
class Prices:
    """Microseconds, measured by `benchmarks/centroids.py`, `search.py` and `store.py`."""

    centroid: float  # compared
    code: float  # read and compared
    cell: float  # found and opened

    def of_search(self, cells: int, entries: float) -> float:
        """Return what a query costs that visits the cells near it."""
        near: float = min(cells, _NEAR * max(1, cells / 256) ** _GROWTH)
        codes = near * _PLACES * entries / cells
        return self.centroid * cells + self.code * codes + self.cell * near


HERE = Prices(centroid=0.015, code=0.009, cell=3.0)
"""An archive on this machine."""

IN_A_STORE = Prices(centroid=0.015, code=0.13, cell=55_000)
"""An object store: 2.2 requests a cell at 25 ms, and 12 bytes a code at 100 MB/s."""
