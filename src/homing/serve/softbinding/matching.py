"""Matching: from a soft binding or a picture to the manifests of entries."""

from collections.abc import Iterable

import numpy as np

from homing.archive.hits import Hit
from homing.archive.query.manifests import ENDPOINT, MANIFEST
from homing.c2pa import ALGORITHM, Binding
from homing.errors import UsageError
from homing.options import UPRIGHT, SearchOptions
from homing.serve.http.uploads import Upload
from homing.serve.service import Service
from homing.serve.softbinding.models import Match

# Entries without a manifest may be more like the query than those with one.
_LEAST_HITS, _MOST_HITS = 64, 1000

# A small archive of a descriptor of the user's own has no verdicts: its copies have this cosine.
_ALIKE = 0.5


async def matches_of_binding(service: Service, value: str, limit: int) -> list[Match]:
    """Return at most `limit` manifests of entries like a vector.

    `value` is one of :data:`homing.c2pa.ALGORITHM`, in base64; `UsageError` if it is none, or of
    another descriptor than the archive's.
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
    options = SearchOptions(k=_hits_for(limit), views=UPRIGHT)
    found = await service.search_vector(vector, options)
    return manifests_of(found.hits, limit)


async def matches_of_picture(service: Service, picture: Upload, limit: int) -> list[Match]:
    """Return at most `limit` manifests of entries that a picture is a copy of, in any view.

    `PictureError` if the picture cannot be read.
    """
    options = SearchOptions(k=_hits_for(limit), views="all", limits=service.settings.limits)
    return manifests_of((await service.search(picture, options)).hits, limit)


def refuse_other_algorithm(name: str) -> None:
    """Raise `UsageError` for an algorithm that is not homing's."""
    if name != ALGORITHM:
        raise UsageError(f"{name[:200]!r} is no algorithm of this service; it knows {ALGORITHM}")


def _hits_for(limit: int) -> int:
    return min(max(limit, _LEAST_HITS), _MOST_HITS)


def manifests_of(hits: Iterable[Hit], limit: int) -> list[Match]:
    """Return at most `limit` manifests of the hits that are copies, each once."""
    found: dict[str, Match] = {}
    for hit in hits:
        metadata = hit.metadata or {}
        manifest, endpoint = metadata.get(MANIFEST), metadata.get(ENDPOINT)
        is_copy = hit.similarity >= _ALIKE if hit.is_copy is None else hit.is_copy
        if not (is_copy and isinstance(manifest, str)) or manifest in found:
            continue
        found[manifest] = Match(
            manifestId=manifest,
            endpoint=endpoint if isinstance(endpoint, str) else None,
            similarityScore=round(100 * min(max(hit.similarity, 0.0), 1.0)),
        )
    return list(found.values())[:limit]
