"""Rests: where of a picture further pictures may be, beside those that were found in it.

Once a picture's place in a query is known, another one beside it needs no visible seam: it lies in
one of the largest rectangles that are left.
"""

from collections.abc import Iterable, Sequence

from PIL import Image

from homing.search.frames.borders import find_frame
from homing.search.frames.panels import Box, find_page_panels, scaled_down

_SIDE = 256  # pixels of the longer side at which a rest is looked at
_LEAST = 0.15  # of the picture's longer side: each side of a rest
_TAKEN = 0.35  # share of a box from which pictures that were found in it take it
_SAME = 0.85  # intersection over union of boxes that count as one


def find_rests(image: Image.Image, taken: Sequence[Box]) -> list[Box]:
    """Find the largest parts of an 8-bit RGB picture beside `taken` boxes."""
    least = _LEAST * max(image.size)
    found = [
        inner
        for box in _empty_boxes((0, 0, *image.size), taken)
        if min(box[2] - box[0], box[3] - box[1]) >= least
        for inner in _pictures(image, box)
        if min(inner[2] - inner[0], inner[3] - inner[1]) >= least
    ]
    return sorted(found, key=lambda box: -area(box))


def _empty_boxes(whole: Box, taken: Sequence[Box]) -> list[Box]:
    """Return the largest boxes without any of those that are taken; they may overlap."""
    empty = [whole]
    for left, top, right, bottom in taken:
        parts = []
        for box in empty:
            if not intersection(box, (left, top, right, bottom)):
                parts.append(box)
                continue
            parts += [
                (box[0], box[1], min(left, box[2]), box[3]),
                (max(right, box[0]), box[1], box[2], box[3]),
                (box[0], box[1], box[2], min(top, box[3])),
                (box[0], max(bottom, box[1]), box[2], box[3]),
            ]
        parts = [box for box in dict.fromkeys(parts) if area(box) > 0]
        empty = [
            box
            for box in parts
            if not any(box != other and intersection(box, other) == area(box) for other in parts)
        ]
    return empty


def _pictures(image: Image.Image, box: Box) -> list[Box]:
    """Return a part without its frame, or the pictures on it if it is a page."""
    part = image.crop(box)
    small = scaled_down(part, _SIDE)
    height, width = small.shape[:2]
    across, down = part.width / width, part.height / height
    inner = find_page_panels(small) or [find_frame(small) or (0, 0, width, height)]
    return [
        (box[0] + round(left * across), box[1] + round(top * down),
         box[0] + round(right * across), box[1] + round(bottom * down))
        for left, top, right, bottom in inner
    ]  # fmt: skip


def is_taken(box: Box, taken: Iterable[Box]) -> bool:
    """Return whether much of a box shows pictures that were found."""
    return sum(intersection(box, other) for other in taken) >= _TAKEN * area(box)


def distinct(boxes: Iterable[Box]) -> list[Box]:
    """Return the boxes without those that are nearly the same as an earlier one."""
    found: list[Box] = []
    for box in boxes:
        if all(_overlap(box, other) < _SAME for other in found):
            found.append(box)
    return found


def _overlap(one: Box, other: Box) -> float:
    shared = intersection(one, other)
    return shared / (area(one) + area(other) - shared)


def intersection(one: Box, other: Box) -> int:
    """Return the area that two boxes share, pixels."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(0, across) * max(0, down)


def area(box: Box) -> int:
    """Return the area of a box, pixels; 0 of one whose sides are crossed."""
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])
