"""Contents of an object store."""

import tempfile
from pathlib import Path

from homing.archive.table.location import ObjectStorePath


def stored_objects(store: str) -> dict[str, bytes]:
    """Return the objects of a store by their names."""
    from lance.file import LanceFileSession

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "object"
        objects = {}
        for name in LanceFileSession(store).list():
            (ObjectStorePath(store) / name).fetch(copy)
            objects[name] = copy.read_bytes()
    return objects
