"""Codebook files: safetensors with a description that must agree with the arrays.

Format version 1 has float32 arrays with the names of :meth:`Factory.array_shapes`. The header's
metadata has ``format`` = ``homing-codebook``, ``version`` = ``1``, ``factory``, ``dimension``,
``metric``, ``fingerprint``, and if known ``descriptor`` and ``descriptor_name``.

Version 2 is a :class:`FaissCodebook`: one array of bytes, ``index``, and ``form``, ``dimension``,
``reason``, ``fingerprint`` and the descriptor.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors

from homing.codebooks.codebook import Codebook
from homing.codebooks.factory import Factory, parse_factory
from homing.codebooks.faiss_codebook import FaissCodebook
from homing.errors import CodebookError
from homing.files.durable import publish, staged_beside, sync_file, sync_folder, write_durably
from homing.files.regular import irregularity

FORMAT = "homing-codebook"
VERSION, OF_FAISS = 1, 2

_MOST_BYTES = 2 << 30
_ALIGNMENT = 8


def to_bytes(codebook: Codebook | FaissCodebook) -> bytes:
    """Encode a codebook as a file; equal codebooks give equal bytes."""
    metadata = {
        "format": FORMAT,
        "dimension": str(codebook.dimension),
        "fingerprint": codebook.fingerprint,
    }
    arrays: Mapping[str, tuple[str, tuple[int, ...], bytes]]
    if isinstance(codebook, FaissCodebook):
        about = {"version": str(OF_FAISS), "form": codebook.form, "reason": codebook.reason}
        arrays = {"index": ("U8", (len(codebook.data),), codebook.data)}
    else:
        factory = codebook.factory
        about = {"version": str(VERSION), "factory": str(factory), "metric": factory.metric}
        arrays = {
            name: ("F32", array.shape, array.astype("<f4", copy=False).tobytes())
            for name, array in codebook.arrays.items()
        }
    if codebook.descriptor is not None:
        about["descriptor"] = codebook.descriptor
    if codebook.descriptor_name is not None:
        about["descriptor_name"] = codebook.descriptor_name
    # Not by safetensors, which orders the metadata differently in each process: a file that ships
    # with its checksum must come out the same each time.
    header: dict[str, Any] = {"__metadata__": metadata | about}
    chunks = []
    end = 0
    for name, (kind, shape, data) in sorted(arrays.items()):
        start, end = end, end + len(data)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
        chunks.append(data)
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return b"".join([len(text).to_bytes(8, "little"), text, *chunks])


def save_codebook(
    codebook: Codebook | FaissCodebook, path: str | Path, *, overwrite: bool = False
) -> Path:
    """Write a codebook to a file, whole or not at all; see :meth:`Codebook.save`."""
    final = Path(path)
    data = to_bytes(codebook)
    try:
        if not overwrite and _is_saved(final, codebook):
            sync_file(final)  # its writer may have died before it did
        else:
            with staged_beside(final) as staged:
                write_durably(staged, data)
                if overwrite:
                    staged.replace(final)
                else:
                    publish(staged, final)
        sync_folder(final.parent)
    except OSError as error:
        raise CodebookError(f"The codebook cannot be written to {final}: {error}.") from error
    return final


def _is_saved(path: Path, codebook: Codebook | FaissCodebook) -> bool:
    """Return whether the file has this codebook; refuse another file's name."""
    if not (path.exists() or path.is_symlink()):
        return False
    try:
        present = read_codebook(path)
    except CodebookError as error:
        raise CodebookError(f"{path} exists and is another file: choose another name.") from error
    if present != codebook:
        raise CodebookError(
            f"{path} exists and holds another codebook ({present.fingerprint}, not "
            f"{codebook.fingerprint}): choose another name, for archives may rely on that one."
        )
    return True


def read_codebook(path: str | Path) -> Codebook | FaissCodebook:
    """Read a codebook's file and check its fingerprint against the arrays.

    `CodebookError` if the file is missing, damaged, altered, no codebook, or of a later format.
    """
    file = Path(path)
    try:
        if wrong := irregularity(file):
            raise CodebookError(f"The codebook {file} {wrong}.")
        # safetensors calls every file missing that it cannot open.
        with file.open("rb") as readable:
            size = os.fstat(readable.fileno()).st_size
        if size > _MOST_BYTES:
            raise CodebookError(
                f"{file} has {size} bytes; codebooks of more than {_MOST_BYTES} are not read."
            )
        with safetensors.safe_open(file, framework="numpy") as opened:
            return _read(opened, file)
    except safetensors.SafetensorError as error:
        raise CodebookError(
            f"{file} is damaged or no codebook ({error}): copy it again from its source."
        ) from error
    except FileNotFoundError:
        raise CodebookError(f"There is no codebook file {file}.") from None
    except (OSError, ValueError) as error:
        raise CodebookError(f"The codebook {file} cannot be read: {error}.") from error


def _read(opened: Any, file: Path) -> Codebook | FaissCodebook:
    metadata: Mapping[str, str] = opened.metadata() or {}
    if metadata.get("format") != FORMAT:
        raise CodebookError(f"{file} is a safetensors file, but not a codebook of homing.")
    version = metadata.get("version")
    if version not in (str(VERSION), str(OF_FAISS)):
        raise CodebookError(
            f"{file} has codebook format {version}; this homing reads formats {VERSION} and "
            f"{OF_FAISS}. A later homing may read it."
        )
    read = _read_of_faiss if version == str(OF_FAISS) else _read_arrays
    codebook = read(opened, metadata, file)
    if codebook.fingerprint != metadata.get("fingerprint"):
        raise CodebookError(
            f"{file} has been altered: its contents have the fingerprint {codebook.fingerprint}, "
            f"and it names {metadata.get('fingerprint')}. Restore the original file."
        )
    return codebook


def _read_arrays(opened: Any, metadata: Mapping[str, str], file: Path) -> Codebook:
    factory, dimension = _description(metadata, file)
    return Codebook(
        factory,
        dimension,
        _arrays(opened, factory, dimension, file),
        metadata.get("descriptor"),
        metadata.get("descriptor_name"),
    )


def _read_of_faiss(opened: Any, metadata: Mapping[str, str], file: Path) -> FaissCodebook:
    parts = {name: opened.get_slice(name).get_dtype() for name in opened.keys()}  # noqa: SIM118
    if parts != {"index": "U8"}:
        raise CodebookError(f"{file} is damaged: it needs the array 'index', and has {parts}.")
    dimension = _dimension(metadata, file)
    data = opened.get_tensor("index").tobytes()
    return FaissCodebook(
        metadata.get("form", ""),
        dimension,
        data,
        metadata.get("descriptor"),
        metadata.get("descriptor_name"),
        metadata.get("reason", ""),
    )


def _dimension(metadata: Mapping[str, str], file: Path) -> int:
    dimension = metadata.get("dimension", "")
    if not (dimension.isascii() and dimension.isdigit() and len(dimension) <= 9):
        raise CodebookError(f"{file} is damaged: its dimension is {dimension!r}.")
    return int(dimension)


def _description(metadata: Mapping[str, str], file: Path) -> tuple[Factory, int]:
    factory = parse_factory(metadata.get("factory", ""))
    dimension = _dimension(metadata, file)
    if metadata.get("metric") != factory.metric:
        raise CodebookError(
            f"{file} has the metric {metadata.get('metric')!r}, not {factory.metric!r}."
        )
    factory.check_dimension(dimension)
    return factory, dimension


def _arrays(
    opened: Any, factory: Factory, dimension: int, file: Path
) -> dict[str, npt.NDArray[np.float32]]:
    """Load the arrays, once the header shows that they have the expected shapes."""
    slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
    found = {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
    expected = {name: ("F32", shape) for name, shape in factory.array_shapes(dimension).items()}
    if found != expected:
        raise CodebookError(f"{file} is damaged: {factory} needs {expected}, and it has {found}.")
    return {name: opened.get_tensor(name) for name in expected}
