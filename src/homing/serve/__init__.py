"""A service over HTTP: one archive searched by people in a browser and by machines.

A face of the archive, as the command line is: it parses, shows, and calls the archive. Needs the
extra ``serve``; only :mod:`homing.serve.extra` may be imported without it.
"""

__all__: list[str] = []
