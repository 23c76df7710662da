"""Entries that come to an archive from elsewhere, and go to other tools and archives."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homing.archive.ingest.run import refuse_store
from homing.archive.ingest.vectors import GivenVectors, add_vectors, given_vectors
from homing.archive.manifest import is_list
from homing.archive.results import Imported
from homing.archive.upkeep import ArchiveUpkeep
from homing.errors import UsageError
from homing.images.limits import shown
from homing.options import PathLike
from homing.progress import OnProgress, counted


class ArchiveTransfer(ArchiveUpkeep):
    """Exports and imports of an archive; see :class:`homing.Archive`."""

    def export(
        self,
        target: PathLike,
        *,
        previews: bool = True,
        generation: int | None = None,
        progress: OnProgress | None = None,
    ) -> int:
        """Write all entries, with their vectors, to a new Parquet file; returns their count.

        Parameters
        ----------
        target : path
            It must not exist. It appears whole or not at all. ``NAME.faiss`` is an index of cells
            and codes, for Faiss, and has its ids in ``NAME.faiss.ids.json``.
            ``postgresql://HOST/DATABASE`` is brought up to date: see
            ``docs/guides/your-own-index.md``.
        previews : bool
            Write their previews too, about 16 kB each; into Parquet alone.
        generation : int or None
            Whose entries an index has, to be named if there are several.
        progress : callable or None
            Called with a :class:`Progress` of entries.
        """
        from homing.archive.exports.target import export_entries

        parts = (self._refreshed(), self.settings, self.path, self.codebooks)
        count = counted(progress, parts[0].__len__)
        return export_entries(*parts, target, previews, generation, count)

    def import_rows(self, file: PathLike, *, progress: OnProgress | None = None) -> Imported:
        """Record the entries of a file: of one that :meth:`export` wrote, or vectors.

        Of an export, both archives must have the same descriptor, and this one the codebooks of the
        other, in any order. An existing entry is unchanged; an entry that its codebook does not
        confirm, or whose id another picture has, is left out.

        Vectors of elsewhere, as :meth:`add_vectors` takes them: a Parquet file with the columns
        ``id`` and ``vector``, all others being metadata; or ``NAME.npy``, (n, D), with the ids in
        ``NAME.npy.ids.json``, a JSON array of strings.
        """
        from homing.archive.exchange import import_rows, is_export
        from homing.archive.ingest.vector_files import read_vectors

        refuse_store(file)
        if is_list(Path(file)):
            raise UsageError(
                f"{shown(file)} is a list: 'homing annotate' records its captions, and "
                "'homing add --manifest' its pictures"
            )
        if not is_export(Path(file)):
            return self._add_parts(read_vectors(Path(file), self.settings.dimension), progress)
        self._table.begin_writing()
        codebooks = self.codebooks
        count = counted(progress)
        imported = import_rows(self._table, self.settings, codebooks, self.path, file, count)
        self._keep_calibrated()
        return imported

    def add_vectors(
        self,
        ids: Sequence[str],
        vectors: NDArray[Any],
        metadata: Sequence[Mapping[str, Any] | None] | None = None,
        *,
        progress: OnProgress | None = None,
    ) -> Imported:
        """Record vectors that were described elsewhere, as entries without a picture.

        They are found as others are; of a hit that has no preview, the similarity decides. Run
        again, also after a crash, it records what is left and nothing else. An id that has another
        vector, or a picture, is left out.

        Parameters
        ----------
        ids : sequence of str
            Each once.
        vectors : array (n, D), floating
            Of the archive's descriptor. Those not of unit length are scaled to it, with a note.
        metadata : sequence of mappings or None, optional
            What JSON can hold, returned with a hit.
        progress : callable or None
            Called with a :class:`Progress` of vectors.

        Returns
        -------
        Imported
            Counts, and the vectors left out with the reason: not finite, zero, an id twice.

        Raises
        ------
        UsageError
            The vectors are not of the descriptor's dimension, or ids and vectors differ in number.

        Examples
        --------
        >>> archive.add_vectors(["a", "b"], vectors, [{"url": "https://…"}, None]).imported
        2
        """
        given = np.asarray(vectors)
        parts = given_vectors(ids, given, metadata, self.settings.dimension)
        return self._add_parts(parts, progress)

    def _add_parts(self, parts: Iterable[GivenVectors], progress: OnProgress | None) -> Imported:
        self._table.begin_writing()
        codebooks = self.codebooks
        count = counted(progress)
        imported = add_vectors(
            self._table, self.preview_store, len(codebooks), codebooks[-1], parts, count
        )
        self._keep_calibrated()
        return imported
