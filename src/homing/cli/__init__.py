"""The command line: parse, show, call the archive; no logic of its own."""

from homing.cli.main import main

__all__ = ["main"]
