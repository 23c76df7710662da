"""Matching: from a soft binding or a picture to the manifests of entries."""

from collections.abc import Iterable

import numpy as np

from homing.archive.hits import Hit
from homing.archive.query.confirm import MOST_COMPARED
from homing.archive.query.manifests import ENDPOINT, MANIFEST
from homing.c2pa import ALGORITHM, Binding
from homing.errors import UsageError
from homing.options import UPRIGHT, SearchOptions
from homing.serve.http.uploads import Upload
from homing.serve.service import Service
from homing.serve.softbinding.models import Match

# Entries without a manifest may be more like the value than those with one.
_LEAST_HITS, _MOST_HITS = 64, 1000

_RECORDED = 0.999  # cosine of an entry's own value, in half precision, to what is recorded


async def matches_of_binding(service: Service, value: str, limit: int) -> list[Match]:
    """Return at most `limit` manifests of the entries that a vector is of.

    There is no picture to compare. An entry matches if the value is what is recorded of it, or is
    as similar as one of 10,000 queries would be by chance, where the archive can tell.

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
    options = SearchOptions(k=min(max(limit, _LEAST_HITS), _MOST_HITS), views=UPRIGHT)
    hits = (await service.search_vector(vector, options)).hits
    return manifests_of([h for h in hits if h.is_copy or h.similarity >= _RECORDED], limit)


async def matches_of_picture(service: Service, picture: Upload, limit: int) -> list[Match]:
    """Return at most `limit` manifests of entries that a picture is a copy of, in any view.

    It is compared with the pictures of the hits, and what people decided counts, as in any search.
    `PictureError` if the picture cannot be read.
    """
    files, limits = service.settings.files, service.settings.limits
    options = SearchOptions(k=MOST_COMPARED, views="all", files=files, limits=limits)
    hits = (await service.search(picture, options)).hits
    return manifests_of([hit for hit in hits if hit.is_copy], limit)


def refuse_other_algorithm(name: str) -> None:
    """Raise `UsageError` for an algorithm that is not homing's."""
    if name != ALGORITHM:
        raise UsageError(f"{name[:200]!r} is no algorithm of this service; it knows {ALGORITHM}")


def manifests_of(copies: Iterable[Hit], limit: int) -> list[Match]:
    """Return at most `limit` manifests of hits that are copies, each once."""
    found: dict[str, Match] = {}
    for hit in copies:
        metadata = hit.metadata or {}
        manifest, endpoint = metadata.get(MANIFEST), metadata.get(ENDPOINT)
        if isinstance(manifest, str) and manifest not in found:
            found[manifest] = Match(
                manifestId=manifest,
                endpoint=endpoint if isinstance(endpoint, str) else None,
                similarityScore=round(100 * min(max(hit.similarity, 0.0), 1.0)),
            )
    return list(found.values())[:limit]
