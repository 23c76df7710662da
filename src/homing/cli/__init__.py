"""The command line: it parses options, calls the library and prints results."""

from homing.cli.main import main

__all__ = ["main"]
