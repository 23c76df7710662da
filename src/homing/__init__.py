"""homing: release pictures so that edited copies of them are found again."""

from homing._version import __version__

__all__ = ["__version__"]
