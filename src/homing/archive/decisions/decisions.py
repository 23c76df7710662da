"""The decisions of an archive: kept, listed, undone, and applied to hits.

A decision is for one picture: an id that another picture has taken since does not inherit it.
"""

import base64
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from homing.archive.decisions.files import DecisionFiles
from homing.archive.decisions.kept import KeptDecision, encode, now, parse, person
from homing.archive.decisions.query import DecidedQuery
from homing.archive.decisions.relevant import RelevantDecisions, near_queries
from homing.archive.hits import Hit, Hits
from homing.archive.query.confirm import QueryPicture
from homing.archive.query.queries import DescribedQuery
from homing.archive.results import Problem
from homing.archive.table.location import Location
from homing.archive.table.table import Table
from homing.errors import EntryNotFoundError
from homing.files.small_json import decode as decode_small
from homing.files.small_json import encode as encode_small
from homing.images.limits import shown


class Decisions:
    """The decisions of an archive; files are read when they are first needed, each once."""

    def __init__(self, files: DecisionFiles, table: Table) -> None:
        self._files = files
        self._table = table
        self._held: dict[str, KeptDecision] = {}  # by the names of their files
        self._by_id: dict[str, list[KeptDecision]] = {}
        self._stamp: int | None = None  # of the folder as it was read; None: to be read again

    @classmethod
    def of(cls, archive: Location, table: Table) -> "Decisions":
        """Return the decisions of an archive."""
        return cls(DecisionFiles.of(archive), table)

    def count(self) -> int:
        """Count the decisions that are not undone."""
        return len(self._files.standing())

    def all(self, id: str | None = None) -> list[KeptDecision]:  # noqa: A002 - the column's name
        """Return the decisions in their order, of all entries or of one id."""
        self._refresh()
        found = [each for each in self._held.values() if id in (None, each.id)]
        valid = set(self._valid(found))
        found.sort(key=lambda each: each.number)
        return [each if each in valid else replace(each, in_force=False) for each in found]

    def apply(self, hits: Hits, query: DescribedQuery, picture: QueryPicture) -> Hits:
        """Return a query's hits with what was decided: see :meth:`RelevantDecisions.apply`.

        An entry that the search has not found is not added.
        """
        return self.relevant(hits, query, picture.sha256).apply(hits, picture)

    def relevant(
        self, hits: Sequence[Hit], query: DescribedQuery, sha256: bytes | None
    ) -> RelevantDecisions:
        """Find the decisions that may be for a query's hits."""
        self._refresh()
        on_hits = [each for hit in hits for each in self._by_id.get(hit.id, ())]
        if not on_hits:
            return RelevantDecisions()
        digest = None if sha256 is None else sha256.hex()
        same = [each for each in on_hits if digest is not None and each.query_sha256 == digest]
        groups = near_queries([each for each in on_hits if each not in same], query)
        valid = set(self._valid([*same, *(each for group in groups for each in group)]))
        same = [each for each in same if each in valid]
        settled = {each.id for each in same}
        near = []
        for group in groups:
            left = tuple(each for each in group if each in valid and each.id not in settled)
            preview = self._preview(left[0]) if left else None
            if preview is not None:
                near.append((preview, left))
        return RelevantDecisions(tuple(same), tuple(near))

    def add(
        self,
        query: DecidedQuery,
        id: str,  # noqa: A002 - the column's name
        *,
        copy: bool,
        by: str | None = None,
    ) -> KeptDecision:
        """Keep a decision durably; EntryNotFoundError if there is no entry of that id."""
        who, name = person(by), shown(id)
        self._table.refresh()
        row = self._table.lookup([name], ["file_sha256", "source_sha256"]).get(name)
        if row is None:
            raise EntryNotFoundError(f"there is no entry {id!r}; see 'homing list'")
        data = encode(query, row, copy=copy, by=who)
        file = self._files.write(data)
        self._stamp = None
        kept = parse(file, data)
        assert kept is not None
        return kept

    def undo(self, number: int, *, by: str | None = None) -> KeptDecision:
        """Undo a decision and return it; EntryNotFoundError if there is none of that number."""
        who = person(by)
        self._refresh(again=True)
        found = [each for each in self._held.values() if each.number == number]
        if not found:
            raise EntryNotFoundError(f"there is no decision {number}; see 'homing decisions'")
        undone = {"by": who, "at": now().isoformat(timespec="seconds")}
        self._files.undo(number, encode_small(undone), [each.file for each in found])
        self._stamp = None
        return found[0]

    def check(self) -> Iterator[Problem]:
        """Yield what is wrong with the files."""
        for name, data in self._files.read(self._files.standing()):
            if data is not None and parse(name, data) is None:
                place = shown(str(self._files.folder / name))
                yield Problem(None, f"the decision {place} is damaged; remove that file")
        for name, data in self._files.read(self._files.undone()):
            if data is not None and not _is_whole(data):
                place = shown(str(self._files.folder / name))
                yield Problem(None, f"{place}, by which a decision is undone, is damaged")

    def remove_parts(self, seconds: float) -> None:
        """Remove partial files that are older, of processes that were killed while writing."""
        self._files.remove_parts(seconds)

    def _valid(self, decisions: Sequence[KeptDecision]) -> Iterator[KeptDecision]:
        """Yield the decisions whose entries still have the picture decided on."""
        ids = list({each.id for each in decisions})
        rows = self._table.lookup(ids, ["file_sha256", "source_sha256"])
        for each in decisions:
            row = rows.get(each.id)
            # A picture that is released after it was added has a new file, of the same source.
            if row is not None and (
                row["file_sha256"].hex() == each.file_sha256
                or row["source_sha256"].hex() == each.source_sha256
            ):
                yield each

    def _refresh(self, *, again: bool = False) -> None:
        """Read the files that are new."""
        stamp = self._files.stamp()
        if stamp is not None and stamp == self._stamp and not again:
            return
        standing = self._files.standing()
        held = {name: kept for name, kept in self._held.items() if name in standing}
        for name, data in self._files.read([name for name in standing if name not in held]):
            kept = None if data is None else parse(name, data)
            if kept is not None:  # a damaged one, which `check` names, is no reason not to search
                held[name] = kept
        by_id = defaultdict[str, list[KeptDecision]](list)
        for kept in held.values():
            by_id[kept.id].append(kept)
        self._held, self._by_id, self._stamp = held, dict(by_id), stamp

    def _preview(self, kept: KeptDecision) -> bytes | None:
        """Read the preview of a decision's query, which is not held in memory."""
        ((_, data),) = self._files.read([kept.file])
        return None if data is None else base64.b64decode(json.loads(data)["query"]["preview"])


def _is_whole(data: bytes) -> bool:
    try:
        decode_small(data)
    except ValueError:
        return False
    return True
