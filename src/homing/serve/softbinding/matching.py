"""From a soft binding or a picture to the manifests of entries."""

from collections.abc import Iterable

import numpy as np

from homing.archive.query.manifests import ENDPOINT, MANIFEST
from homing.archive.results import Hit
from homing.c2pa import ALGORITHM, Binding
from homing.errors import UsageError
from homing.options import UPRIGHT, SearchOptions
from homing.serve.http.uploads import Upload
from homing.serve.service import Service
from homing.serve.softbinding.models import Match

# Entries without a manifest may be more like the query than those with one.
_LEAST_HITS, _MOST_HITS = 64, 1000


# An archive too small to be calibrated has no verdicts: then this is asked of the cosine.
_ALIKE = 0.5


async def matches_of_binding(service: Service, value: str, most: int) -> list[Match]:
    """Find the manifests of entries like a vector.

    Parameters
    ----------
    service : Service
    value : str
        Of :data:`homing.c2pa.ALGORITHM`, in base64.
    most : int
        How many.

    Raises
    ------
    UsageError
        It is no value of the algorithm, or of another descriptor than the archive's.
    """
    binding = Binding.from_text(value)
    settings = service.archive.settings
    if not binding.is_of(settings.descriptor_fingerprint):
        raise UsageError(
            f"the value is of another descriptor than {service.descriptor_name!r} "
            f"({settings.descriptor_fingerprint[:12]}…), which this service compares by; send the "
            "picture itself to /v1/matches/byContent"
        )
    vector = binding.vector.astype(np.float64).tolist()
    asked = SearchOptions(k=_hits_for(most), views=UPRIGHT)
    found = await service.search_vector(vector, asked)
    return manifests_of(found.hits, most)


async def matches_of_picture(service: Service, picture: Upload, most: int) -> list[Match]:
    """Find the manifests of entries that a picture is a copy of, turned or framed as it may be.

    Raises
    ------
    PictureError
        It cannot be read.
    """
    asked = SearchOptions(k=_hits_for(most), views="all", limits=service.settings.limits)
    return manifests_of((await service.search(picture, asked)).hits, most)


def refuse_other_algorithm(name: str) -> None:
    """Refuse an algorithm that is not homing's; `UsageError`."""
    if name != ALGORITHM:
        raise UsageError(f"{name[:200]!r} is no algorithm of this service; it knows {ALGORITHM}")


def _hits_for(most: int) -> int:
    return min(max(most, _LEAST_HITS), _MOST_HITS)


def manifests_of(hits: Iterable[Hit], most: int) -> list[Match]:
    """Manifests of the hits that are copies, each once."""
    found: dict[str, Match] = {}
    for hit in hits:
        known = hit.metadata or {}
        manifest, endpoint = known.get(MANIFEST), known.get(ENDPOINT)
        if not (_is_copy(hit) and isinstance(manifest, str)) or manifest in found:
            continue
        found[manifest] = Match(
            manifestId=manifest,
            endpoint=endpoint if isinstance(endpoint, str) else None,
            similarityScore=round(100 * min(max(hit.similarity, 0.0), 1.0)),
        )
    return list(found.values())[:most]


def _is_copy(hit: Hit) -> bool:
    return hit.is_copy if hit.is_copy is not None else hit.similarity >= _ALIKE
