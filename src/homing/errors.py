"""All errors that homing raises on purpose.

::

    HomingError
    ├── UsageError         what was asked for cannot be done as asked
    ├── PictureError       one picture cannot be read, kept or written
    ├── DescriptorError    a descriptor is unknown, missing or not the one expected
    ├── CodebookError      a codebook is unknown, damaged or not the one expected
    └── ArchiveError       an archive is missing, damaged or not what was expected
        └── EntryNotFoundError   no entry of that id

A :class:`PictureError` concerns one input: a run over many pictures reports it and goes on. The
others concern the whole call. Every message says what was wrong, with what, and what to do.
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
    """What was asked for cannot be done as asked: wrong or contradictory arguments."""


class PictureError(HomingError):
    """One picture cannot be read, kept in its kind, or written; the message is the reason."""

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
