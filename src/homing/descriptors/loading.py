"""Loading of descriptors by name or path."""

import logging
from importlib import resources
from pathlib import Path

import torch

from homing.descriptors.custom import SCRIPT_SUFFIXES, build_descriptor, load_folder, load_script
from homing.descriptors.descriptor import Descriptor, resolve_device
from homing.descriptors.download import cache_folder, fetch, verify, write_record
from homing.descriptors.registry import DescriptorInfo, find_descriptor, registry
from homing.descriptors.weights_file import WeightsFile, read_weights_file
from homing.errors import DescriptorError
from homing.files.regular import irregularity
from homing.progress import OnProgress

_log = logging.getLogger(__name__)


def weights_path(info: DescriptorInfo) -> Path:
    """Return where in the cache a descriptor's fetched weights are, or would be."""
    return cache_folder() / "descriptors" / info.file_name


def load_descriptor(
    name_or_path: str | Path = "homing-s",
    *,
    weights: Path | str | None = None,
    device: str | torch.device = "cpu",
    download: bool = True,
    progress: OnProgress | None = None,
) -> Descriptor:
    """Load a descriptor by name, or a custom one by path.

    Parameters
    ----------
    name_or_path : str or pathlib.Path
        A name of :func:`registry`; or a folder with ``config.json`` and weights, or a TorchScript
        file (:mod:`homing.descriptors.custom` describes both).
    weights : path, optional
        With a name: use this file instead of the bundled or published one, in the same layout. The
        descriptor then has another fingerprint.
    device : str or torch.device
        ``"cpu"``, ``"cuda"``, ``"mps"``, or ``"auto"``: a GPU where there is one.
    download : bool
        Whether missing weights may be fetched. The bundled descriptor never needs it.
    progress : callable, optional
        Called with (bytes received, bytes in all or None) while fetching.

    Returns
    -------
    Descriptor
        In float32.

    Raises
    ------
    DescriptorError
        The name is unknown; the weights are missing and cannot be fetched (the message says which
        file to put where), damaged, changed since they were recorded, or of another network.
    UsageError
        This machine has no such device.

    Examples
    --------
    >>> import homing
    >>> homing.load_descriptor("homing-s").dimension
    256
    """
    where = resolve_device(device)
    known = {info.name: info for info in registry()}
    if isinstance(name_or_path, str) and name_or_path in known:
        info = known[name_or_path]
        if weights is not None:
            found = _build(info, read_weights_file(Path(weights)))
        elif info.bundled:
            found = _load_bundled(info)
        else:
            found = _load_published(info, download=download, progress=progress)
    else:
        if weights is not None:
            raise DescriptorError(
                f"{name_or_path}: weights are given apart only to a descriptor known by name."
            )
        found = _load_path(Path(name_or_path))
    _log.debug("descriptor %s, %s, on %s", found.name, found.fingerprint[:12], where)
    return found if where.type == "cpu" else found.to(where)


def _load_path(path: Path) -> Descriptor:
    if path.is_dir():
        return load_folder(path)
    if wrong := irregularity(path):
        raise DescriptorError(f"{path} {wrong}.")
    if not path.exists():
        find_descriptor(str(path))  # raises, and lists the known names
    for info in registry():
        if path.name == info.file_name:  # a published file, fetched by hand
            return _build(info, read_weights_file(path))
    if path.suffix in SCRIPT_SUFFIXES:
        return load_script(path)
    raise DescriptorError(
        f"{path}: give a folder with config.json and weights, or a TorchScript file "
        f"({' or '.join(SCRIPT_SUFFIXES)})."
    )


def _build(info: DescriptorInfo, file: WeightsFile) -> Descriptor:
    return build_descriptor(
        file,
        architecture=info.architecture,
        name=info.name,
        version=info.version,
        dimension=info.dimension,
        rule=info.input_rule,
    )


def _load_bundled(info: DescriptorInfo) -> Descriptor:
    stored = resources.files("homing.descriptors") / "weights" / info.file_name
    try:
        file = WeightsFile(info.file_name, stored.read_bytes())
    except OSError as error:
        raise DescriptorError(
            f"{info.name}: {stored} cannot be read ({error}); install homing again."
        ) from error
    if file.sha256 != info.sha256:
        raise DescriptorError(
            f"{info.name}: {stored} is damaged. SHA-256 expected: {info.sha256}; found: "
            f"{file.sha256}. Install homing again."
        )
    return _build(info, file)


def _load_published(
    info: DescriptorInfo, *, download: bool, progress: OnProgress | None
) -> Descriptor:
    path = weights_path(info)
    fresh = not path.exists()
    if fresh:
        _fetch_weights(info, path, download=download, progress=progress)
    file = read_weights_file(path)
    verify(path, file.data, info.sha256)
    try:
        descriptor = _build(info, file)
    except DescriptorError:
        if fresh:  # a proxy's page, say: neither it nor its checksum is stored
            path.unlink(missing_ok=True)
        raise
    write_record(path, file.data, info.url or "")
    return descriptor


def _fetch_weights(
    info: DescriptorInfo, path: Path, *, download: bool, progress: OnProgress | None
) -> None:
    remedy = (
        f"Fetch {info.url} on a machine with a connection and put it at {path}, or give the file "
        "as weights."
    )
    if info.url is None or not download:
        raise DescriptorError(f"{info.name}: its weights are not here. {remedy}")
    try:
        fetch(info.url, path, progress=progress)
    except DescriptorError as error:
        raise DescriptorError(
            f"{info.name}: its weights are not here and could not be fetched: {error} {remedy}"
        ) from error
