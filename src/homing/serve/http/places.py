"""Places of the service on its machine, which no client is told."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from homing.images import shown

_HIDDEN = "(a folder of the service)"


class PrivatePlaces:
    """The folders of a service, to be left out of what it tells."""

    def __init__(self, folders: Iterable[str | Path]) -> None:
        found = {tempfile.gettempdir(), str(Path.home()), *map(str, folders)}
        own = [Path(each) for each in found if "://" not in each]
        found |= {str(each.absolute()) for each in own} | {str(each.resolve()) for each in own}
        # A bare name, as in `homing serve archive`, tells nothing, and may be a common word.
        names = {shown(each) for each in found if len(Path(each).parts) > 1}
        self._names = sorted(names, key=len, reverse=True)

    def left_out(self, text: str) -> str:
        """Return a text without the names of the folders."""
        for name in self._names:
            text = text.replace(name, _HIDDEN)
        return text
