"""Cache files: named by a checksum of what decides them, and written whole or not at all.

Two runs may write the same file at once: each writes under its own name and renames it.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from homing.files.durable import staged_beside

Array = npt.NDArray[Any]


def checksum(content: Any) -> str:
    """Return 32 hex digits that identify a value that JSON can hold."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    with staged_beside(path) as staged:
        staged.write_bytes(data)
        staged.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, atomically."""
    write_bytes(path, json.dumps(value).encode())


def read_json(path: Path) -> Any:
    """Read a value from JSON; None if the file is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write named arrays as safetensors, atomically."""
    from safetensors.numpy import save

    write_bytes(path, save({name: np.ascontiguousarray(rows) for name, rows in arrays.items()}))


def read_arrays(path: Path) -> dict[str, Array]:
    """Read named arrays."""
    from safetensors.numpy import load_file

    return load_file(path)
