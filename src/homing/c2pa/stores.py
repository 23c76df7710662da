"""C2PA manifest stores as bytes: JUMBF boxes (ISO 19566-5), parsed no deeper than needed.

A store is a box of type ``jumb`` whose first child describes it (type ``c2pa``) and whose others
are the manifests, boxes of the same kind with their ids as labels. The last one is the active one.
"""

from collections.abc import Iterator

from homing.errors import PictureError

_HEAD = 8  # length and type of a box
_BOX, _DESCRIPTION = b"jumb", b"jumd"
_STORE = b"c2pa"
_LABELLED = 3  # bits of a description: it has a label, and may be requested by it
_UUID = 16


def active_manifest(store: bytes) -> str:
    """Return the id of the active manifest of a store; `PictureError` if it is none or damaged."""
    return list(_manifests(store))[-1][0]


def extract_manifest(store: bytes, manifest: str) -> bytes:
    """Return a store that holds one manifest of `store` alone; `PictureError` if it has none such.

    Other manifests that it refers to (of the picture's sources) are missing.
    """
    for name, box in _manifests(store):
        if name == manifest:
            start, end = next(_boxes(store, _HEAD, len(store)))
            body = store[start:end] + box
            return (_HEAD + len(body)).to_bytes(4, "big") + _BOX + body
    raise PictureError(f"the manifest store holds no manifest {manifest!r}")


def _manifests(store: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the id and box of each manifest, in order; at least one."""
    if store[4:_HEAD] != _BOX or int.from_bytes(store[:4], "big") != len(store):
        raise _damaged()
    (start, end), *manifests = _boxes(store, _HEAD, len(store))
    if _label(store, start, end) != _STORE.decode() or not manifests:
        raise _damaged()
    for first, last in manifests:
        inner = next(_boxes(store, first + _HEAD, last), None)
        if store[first + 4 : first + _HEAD] != _BOX or inner is None:
            raise _damaged()
        yield _label(store, *inner), store[first:last]


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each box between two places; at least one."""
    while True:
        length = int.from_bytes(data[at : at + 4], "big")
        if length < _HEAD or at + length > end:
            raise _damaged()
        yield at, at + length
        at += length
        if at == end:
            return


def _label(data: bytes, start: int, end: int) -> str:
    """Return the label in a description box."""
    flags = start + _HEAD + _UUID
    if data[start + 4 : start + _HEAD] != _DESCRIPTION or flags >= end:
        raise _damaged()
    label, closed, _ = data[flags + 1 : end].partition(b"\0")
    if data[flags] & _LABELLED != _LABELLED or not closed:
        raise _damaged()
    try:
        return label.decode()
    except UnicodeDecodeError:
        raise _damaged() from None


def _damaged() -> PictureError:
    return PictureError("the bytes are no C2PA manifest store, or a damaged one")
