"""All errors that homing raises on purpose.

::

    HomingError
    ├── UsageError         arguments are wrong or contradictory
    ├── PictureError       one picture cannot be read, released or written
    ├── DescriptorError    a descriptor is unknown, missing or not the one expected
    ├── CodebookError      a codebook is unknown, damaged or not the one expected
    └── ArchiveError       an archive is missing, damaged or not what was expected
        └── EntryNotFoundError   no entry of that id

A run over many pictures reports a :class:`PictureError` and goes on; the others end the call. Every
message says what was wrong, with what, and what to do.
"""

__all__ = [
    "ArchiveError",
    "CodebookError",
    "DescriptorError",
    "EntryNotFoundError",
    "HomingError",
    "PictureError",
    "UsageError",
]


class HomingError(Exception):
    """Root of homing's errors; ``except homing.HomingError`` catches them all."""

    exit_code = 2


class UsageError(HomingError):
    """Arguments are wrong or contradictory."""


class PictureError(HomingError):
    """One picture cannot be read, released in its format, or written; the message says why."""

    exit_code = 1


class DescriptorError(HomingError):
    """A descriptor is unknown, its weights are missing or damaged, or it is the wrong one."""


class CodebookError(HomingError):
    """A codebook is unknown, damaged, or made for another descriptor."""


class ArchiveError(HomingError):
    """An archive is missing, damaged, of another format, or exists already."""


class EntryNotFoundError(ArchiveError):
    """The archive holds no entry of that id."""

    exit_code = 1
