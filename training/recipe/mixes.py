"""Random sequences of edits by name, shared by both implementations of views.

:mod:`recipe.views` applies the edits picture by picture on a CPU, :mod:`recipe.on_device` batch by
batch on a GPU.
"""

import numpy as np

_COUNTS = (
    0.1,
    0.2,
    0.3,
    0.4,
)  # probability of one, two, three and four groups in the published mix

#: Groups of the published mix. Most misses are due to crops and screenshots, so these are more
#: frequent than published, in place of a change of aspect, which squashing undoes.
_PUBLISHED = (
    ("published brightness", "grey", "published saturation"),
    ("sticker", "text"),
    (
        "published blur",
        "published palette",
        "published jpeg",
        "sharpen",
        "published pixels",
        "published shuffle",
    ),
    (
        "published crop",
        "published crop",
        "published crop",
        "screenshot",
        "screenshot",
        "letterbox",
        "mirror",
        "published perspective",
        "published rotation",
    ),
)
_TONES = (
    *("wide brightness", "wide brightness", "wide contrast", "wide contrast"),
    *("wide gamma", "wide hue", "wide saturation", "grey", "tint", "uneven"),
)
_PIXELS = (
    *("wide blur", "wide shrink", "wide shuffle", "wide palette", "wide pixels"),
    *("sharpen", "noise"),
)
_LAYERS = ("sticker", "text", "meme", "meme", "caption", "screenshot", "letterbox")

EDITS: frozenset[str] = frozenset(
    {name for group in _PUBLISHED for name in group}
    | {*_TONES, *_PIXELS, *_LAYERS, "wide crop", "wide warp", "wide coding"}
)
"""All names that :func:`mix` can return."""


def mix(rng: np.random.Generator) -> tuple[str, ...]:
    """Draw the edits of one strong view, in order.

    Half of the views follow the published random mix (one edit of each of one to four groups; a
    crop first, a palette last), half a wider mix with several edits of each kind.
    """
    return _published(rng) if rng.random() < 0.5 else _wide(rng)


def collage_or_inset(rng: np.random.Generator) -> str:
    """Draw how a view shows a second picture: ``"collage"`` or ``"inset"``."""
    return "collage" if rng.random() < 0.5 else "inset"


def _one_of(rng: np.random.Generator, names: tuple[str, ...]) -> str:
    return names[int(rng.integers(len(names)))]


def _published(rng: np.random.Generator) -> tuple[str, ...]:
    count = 1 + int(rng.choice(len(_COUNTS), p=_COUNTS))
    chosen = [_one_of(rng, _PUBLISHED[i]) for i in rng.permutation(len(_PUBLISHED))[:count]]
    rank = {"published crop": -1, "published palette": 1}
    return tuple(sorted(chosen, key=lambda name: rank.get(name, 0)))  # stable


def _wide(rng: np.random.Generator) -> tuple[str, ...]:
    first = [
        name for name, share in (("wide crop", 0.75), ("wide warp", 0.65)) if rng.random() < share
    ]
    middle = [_one_of(rng, _TONES) for _ in range(int(rng.integers(0, 3)))]
    middle += [_one_of(rng, _PIXELS) for _ in range(int(rng.integers(0, 3)))]
    if rng.random() < 0.5:
        middle.append(_one_of(rng, _LAYERS))
    last = ["wide coding"] if rng.random() < 0.5 else []
    return (*first, *(middle[i] for i in rng.permutation(len(middle))), *last)
