"""What made a cached value: checksums of our own code and of the packages that it calls."""

import hashlib
import importlib.metadata
from functools import cache
from importlib import resources

__all__ = ["definitions"]


@cache
def definitions(sources: tuple[str, ...], packages: tuple[str, ...]) -> str:
    """Tell apart what a value was made by, so that another version's is not taken for it.

    Parameters
    ----------
    sources : tuple of str
        Files beneath the package, with "/" between names; of a folder all its modules.
    packages : tuple of str
        Distributions, whose versions count.

    Returns
    -------
    str
        A checksum.
    """
    digest = hashlib.sha256()
    for source in sources:
        part = resources.files("homing").joinpath(*source.split("/"))
        modules = [part] if part.is_file() else list(part.iterdir())
        for module in sorted(modules, key=lambda each: each.name):
            if module.name.endswith(".py"):
                digest.update(f"{source} {module.name}\n".encode())
                digest.update(module.read_bytes())
    for name in packages:
        digest.update(f"{name} {importlib.metadata.version(name)}\n".encode())
    return digest.hexdigest()
