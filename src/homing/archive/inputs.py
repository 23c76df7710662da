"""Inputs of a command: pictures of files, folders or a manifest, with ids and metadata."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homing.archive.ids import composed
from homing.archive.manifest import ID, PATH, metadata_problem, read_manifest
from homing.archive.results import passed_over_in_words
from homing.errors import UsageError
from homing.images.find import FoundPicture, check_present, count_passed_over, find_pictures
from homing.images.kinds import KINDS, SUFFIXES
from homing.images.limits import shown
from homing.options import PathLike, as_paths


@dataclass(frozen=True)
class Input:
    """One picture to be released or added."""

    path: Path
    written: str  # the id as the file's name or the manifest has it; see `id`
    destination: Path  # of its released file, relative to the output folder
    metadata: Mapping[str, Any] | None = None  # stored with it and returned with every hit
    known: str | None = None  # the id of its entry in an archive made before ids were composed

    @property
    def id(self) -> str:
        """Id of the entry: in Unicode's composed form, unless it is known in another."""
        return self.known or composed(self.written)

    def destination_as(self, kind: str | None) -> Path:
        """Return the destination of a file of another kind, which has that kind's suffix."""
        if kind is None or KINDS.get(self.destination.suffix.lower()) == kind:
            return self.destination
        return self.destination.with_suffix(SUFFIXES[kind])


def find_inputs(photos: PathLike | Sequence[PathLike]) -> list[Input]:
    """List the pictures of files and folders."""
    return gather_inputs(as_paths(photos), None)


def find_files(photos: PathLike | Sequence[PathLike]) -> list[Path]:
    """List the paths of pictures where ids do not matter: names may be alike."""
    return [found.path for found in _find(as_paths(photos))]


def _find(photos: Sequence[Path]) -> list[FoundPicture]:
    """List the pictures of files and folders, each path once."""
    if not photos:
        raise UsageError("no pictures were given: name files or folders, or a manifest")
    check_present(photos)
    found = list({each.path: each for each in find_pictures(photos)}.values())
    if not found:
        words = passed_over_in_words(count_passed_over(photos))
        places = ", ".join(repr(shown(path)) for path in photos)
        raise UsageError(f"no picture was found in {places}{'; ' if words else ''}{words}")
    return found


def gather_inputs(photos: Sequence[Path], manifest: Path | None) -> list[Input]:
    """List the pictures of files and folders, or of a manifest.

    A manifest (see :func:`read_manifest`) has a ``path`` column, an optional ``id``, and further
    columns that become metadata. Its paths start from the one folder in `photos`, or from its own.
    Raises UsageError if there is no picture, an id stands twice, or the manifest cannot be
    understood.
    """
    if manifest is not None:
        inputs = list(_from_manifest(manifest, _base_of(manifest, photos)))
        if not inputs:
            raise UsageError(f"no picture was found in {shown(manifest)!r}")
    else:
        inputs = [_input_of(found) for found in _find(photos)]
    _refuse_duplicate_ids(inputs)
    return inputs


def _input_of(found: FoundPicture) -> Input:
    # `relative` is printable; the destination has the very bytes of the name.
    depth = len(Path(found.relative).parts)
    return Input(found.path, found.relative, Path(*found.path.parts[-depth:]))


def _refuse_duplicate_ids(inputs: Sequence[Input]) -> None:
    seen: dict[str, Input] = {}
    for item in inputs:
        other = seen.setdefault(item.id, item)
        if other is not item:
            raise UsageError(
                f"the id {item.id!r} would stand for both {str(other.path)!r} and "
                f"{str(item.path)!r}; give them one folder above both, or a manifest with ids"
            )


def refuse_clashes(inputs: Sequence[Input], kind: str | None, out: Path) -> None:
    """Refuse pictures whose released files cannot all have their names in `out`, before any work.

    `kind` is that of the files, None: each picture's own. Where the file system does not tell upper
    from lower case, nor composed letters from others, such names are one.
    """
    seen = _folded if _knows_no_case(out) else Path
    names: dict[Path, Input] = {}
    for item in inputs:
        if not item.destination.name:  # "." of a manifest, which no picture is
            continue
        other = names.setdefault(seen(item.destination_as(kind)), item)
        if other is not item:
            raise UsageError(
                f"{shown(other.path)!r} and {shown(item.path)!r} would both be released as "
                f"{shown(item.destination_as(kind))!r}; release them into different folders"
            )
    folders: dict[Path, Input] = {}
    for name, item in names.items():
        folder = name.parent
        while folder.name and folder not in folders:
            folders[folder] = item
            folder = folder.parent
    for folder, item in folders.items():
        if folder in names:
            raise UsageError(
                f"{shown(names[folder].path)!r} would be released as "
                f"{shown(names[folder].destination_as(kind))!r}, which is a folder of "
                f"{shown(item.path)!r}; release them into different folders"
            )


def _folded(path: Path) -> Path:
    """Return a path as file systems see it that know no case, and no forms of letters."""
    return Path(composed(composed(shown(path)).casefold()))


def _knows_no_case(folder: Path) -> bool:
    """Return whether names that differ in case are one where a folder is, or will be."""
    for existing in (folder, *folder.resolve().parents):
        other = existing.with_name(existing.name.swapcase()) if existing.name else existing
        if existing.exists() and other != existing:
            return other.exists() and other.samefile(existing)
    return False


def _base_of(manifest: Path, photos: Sequence[Path]) -> Path:
    if len(photos) > 1 or any(not path.is_dir() for path in photos):
        raise UsageError("with a manifest, give at most one folder, which its paths start from")
    return photos[0] if photos else manifest.parent


def _from_manifest(manifest: Path, base: Path) -> Iterator[Input]:
    for line, values in read_manifest(manifest):
        path = values.pop(PATH, None)
        if not isinstance(path, str) or not path:
            raise UsageError(f"{manifest}, line {line}: it has no 'path'")
        name = values.pop(ID, None)
        try:
            json.dumps([name, values], ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"{manifest}, line {line}: not valid Unicode ({error})") from error
        if wrong := metadata_problem({ID: name, **values}):
            raise UsageError(f"{manifest}, line {line}: {wrong}")
        destination = _destination(path, base)
        yield Input(
            path=base / path,
            written=str(name) if name not in (None, "") else shown(destination.as_posix()),
            destination=destination,
            metadata={k: v for k, v in values.items() if v not in (None, "")} or None,
        )


def _destination(path: str, base: Path) -> Path:
    """Return the path as listed, or its name only if it leads out of the manifest's folder."""
    listed = Path(path)
    if listed.is_absolute():
        listed = listed.relative_to(base) if listed.is_relative_to(base) else Path(listed.name)
    if ".." in listed.parts:
        listed = Path(listed.name)
    return listed
