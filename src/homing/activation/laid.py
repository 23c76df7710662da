"""A change laid on the coefficients of a JPEG: nothing is coded twice, all else stays as it was.

The change is taken to the components' colours, averaged to their sampling, and transformed block by
block (DCT-II, orthonormal: ITU T.81, A.3.3). Divided by the steps of quantisation it is a number
for each coefficient, which is rounded. At a given PSNR most of the change arrives so: the
coefficients that would change most change, the others not at all. Those that are zero in the source
cost bytes and must change by more before they do. (Carrying the rest of a block's mean on to its
neighbours, after Floyd and Steinberg, and adding an ordered pattern before rounding were tried:
less of the change arrives.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from homing.errors import PictureError
from homing.images.formats.jpeg_coefficients import Coefficients, Component

_Floats = NDArray[np.float32]

LARGEST_SCALE = 4.0
"""Largest factor of a change: with coarse tables little of it arrives at one."""

_BAND_PIXELS = 1 << 18  # transformed together
_ROWS = 64  # of a change, squared together
_ROUNDED = 0.5  # steps from which a coefficient of the lowest frequency changes
_NEW = 1.0  # squared steps: what a new coefficient's bytes are worth
_LARGEST = 1023  # of a coefficient, in a baseline JPEG
_LEAST_LIGHT = 0.25  # left by black, down to which the change of other inks makes up for it
_MOST_COPIED = 500_000  # blocks of a component; of more, a copy would be the peak of memory
_SAMPLED_BLOCKS = 20_000  # of the first component, on which the error is foreseen
_BISECTIONS = 12
_ROUNDING = 1 / 6 / 255**2  # of samples, before and after

#: Row k: the cosine of frequency k at eight samples (DCT-II, orthonormal).
_COSINES = np.cos(np.outer(np.arange(8), np.arange(1, 17, 2)) * np.pi / 16) / 2
_COSINES[0] /= np.sqrt(2)
_COSINES = _COSINES.astype(np.float32)

#: Rows: Y, Cb, Cr of a change of red, green and blue (ITU-T T.871).
_FROM_RGB = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)
#: Sum of the squares that a unit of each component is in red, green and blue.
_WEIGHTS = {"grey": (1.0,), "rgb": (1.0, 1.0, 1.0), "cmyk": (1.0, 1.0, 1.0)}
_WEIGHTS_OF_LUMINANCE = (3.0, 3.2584, 2.4757)


@dataclass(frozen=True, eq=False)
class _Wanted:
    """The change of one coefficient of all blocks of a component, in steps of its quantisation."""

    place: int  # in natural order
    old: NDArray[np.int16]  # (rows, columns), of the source
    values: NDArray[np.floating]  # (rows, columns), 0 in blocks that stay as they are
    new: float  # steps from which it changes where it was zero
    weight: float  # squares, in levels, of all pixels together, that one step makes
    squares: float  # sum of the squares of `values`

    def steps(self, scale: float) -> NDArray[np.int16]:
        """Return the steps by which it changes, (rows, columns)."""
        old, values = self.old, self.values * np.float32(scale)
        size = np.abs(values)
        np.rint(values, out=values)
        if self.place:
            values[(old == 0) & (size < self.new)] = 0
        # A coefficient beyond the range of baseline JPEGs stays where it is.
        low, high = np.minimum(old, -_LARGEST), np.maximum(old, _LARGEST)
        changed: NDArray[np.int16] = np.clip(values + old, low, high).astype(np.int16)
        changed -= old
        return changed


@dataclass(frozen=True, eq=False)
class _Found:
    """Coefficients of a change by their place, (rows, columns) each, of a type."""

    dtype: np.dtype[np.floating]
    values: dict[int, NDArray[np.floating]]


@dataclass(frozen=True, eq=False)
class LaidChange:
    """A change ready to be laid on coefficients at any scale."""

    original: Coefficients
    wanted: tuple[tuple[_Wanted, ...], ...]  # of each component that changes, the first ones
    power: float  # mean square of the change, in units of the full range
    squares: float  # sum of its squares by components, in levels, weighted as in `_Wanted`

    def at(self, scale: float) -> Coefficients:
        """Return the coefficients with `scale` times the change."""
        laid = self.original.copy()
        for component, wanted in zip(laid.components, self.wanted, strict=False):
            for each in wanted:
                changed = _coefficient(component, each.place)
                changed += each.steps(scale)
        return laid

    @cached_property
    def sample(self) -> NDArray[np.intp]:
        """Rows of MCUs, spread evenly, on which errors are foreseen."""
        first = self.original.components[0]
        rows = first.blocks.shape[0] // first.vertical
        wanted = -(-_SAMPLED_BLOCKS // (first.blocks.shape[1] * first.vertical))
        if 2 * wanted > rows:
            return np.arange(rows)
        return np.asarray((np.arange(wanted) * rows + rows // 2) // wanted)

    def error(self, scale: float) -> float:
        """Foresee the mean squared error of :meth:`at`, in units of the full range squared.

        What rounding leaves of the change is known of the sample; the change is known of all.
        """
        laid = self._laid(scale)
        return self._foreseen(laid and laid / self._share)

    def even_scale(self) -> float:
        """Return the scale at which all of the change arrives, in the mean.

        What is laid, projected on the change, is then the change: rounding by itself takes a part.
        """
        low, high = 0.0, LARGEST_SCALE
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            _, arrived = self._over_sample(middle)
            low, high = (middle, high) if arrived < self._asked else (low, middle)
        return high

    def error_of_sample(self, scale: float) -> float:
        """Foresee the mean squared error of the sample alone."""
        first = self.original.components[0]
        share = len(self.sample) * first.vertical / first.blocks.shape[0]
        return self._foreseen(self._laid(scale) / share)

    def _foreseen(self, squares: float) -> float:
        # Squares of components do not add up to those of red, green and blue, but nearly so.
        return float(self.power * squares / self.squares + _ROUNDING) if squares else 0.0

    @cached_property
    def _share(self) -> float:
        """The share of the change that the sample has."""
        whole = sum(each.weight * each.squares for some in self.wanted for each in some)
        return float(self._asked / whole) if whole else 1.0

    @cached_property
    def _asked(self) -> float:
        """The squares of the change in the sample."""
        return float(
            sum(
                each.weight * _sum_of_squares(each.values[rows])
                for rows, some in zip(self._rows, self.wanted, strict=True)
                for each in some
            )
        )

    @cached_property
    def _rows(self) -> tuple[slice | NDArray[np.intp], ...]:
        """Rows of blocks of the sample, of each component that changes."""
        heights = [each.vertical for each in self.original.components[: len(self.wanted)]]
        first = self.original.components[0]
        if len(self.sample) * first.vertical == first.blocks.shape[0]:
            return (slice(None),) * len(heights)
        return tuple((self.sample[:, None] * high + np.arange(high)).ravel() for high in heights)

    def _laid(self, scale: float) -> float:
        """Return the squares of what is laid on the sample."""
        return self._over_sample(scale)[0]

    def _over_sample(self, scale: float) -> tuple[float, float]:
        """Sum, over the sample, the squares of the steps laid, and their products with all."""
        from homing.activation.laid_sums import sums_laid

        squares = products = 0.0
        for weight, new, old, values in self._sampled:
            found = sums_laid(old, values, np.float32(scale), new, np.float32(_LARGEST))  # type: ignore[no-untyped-call]
            squares, products = squares + weight * found[0], products + weight * found[1]
        return squares, products

    @cached_property
    def _sampled(
        self,
    ) -> tuple[tuple[float, np.float32, NDArray[np.int16], NDArray[np.float32]], ...]:
        """Weight, threshold, old and wanted of each coefficient, of the sample alone."""
        return tuple(
            (
                each.weight,
                np.float32(each.new if each.place else 0.0),
                each.old[rows],
                each.values[rows].astype(np.float32, copy=False),
            )
            for wanted, rows in zip(self.wanted, self._rows, strict=True)
            for each in wanted
        )


def lay(
    coefficients: Coefficients,
    change: NDArray[np.floating],
    light: NDArray[np.uint8] | None = None,
) -> LaidChange:
    """Prepare a change for coefficients.

    Parameters
    ----------
    coefficients : Coefficients
        Of the picture to be changed, (H, W).
    change : numpy.ndarray
        (H, W, 3) of red, green and blue, or (H, W, 1) of all alike, in units of the full range.
    light : numpy.ndarray, optional
        (H, W), what the black of a CMYK picture leaves, 255 where there is none. Black itself does
        not change; the other inks do by as much more as it hides.

    Raises
    ------
    PictureError
        If a component's samples do not stand for whole pixels.
    """
    if change.shape[2] == 1 and coefficients.colour in ("rgb", "cmyk"):
        change = np.broadcast_to(change, (*change.shape[:2], 3))
    count = change.shape[2]  # red, green and blue that change alike leave Cb and Cr as they are
    components = coefficients.components[:count]
    weights = np.array(_WEIGHTS.get(coefficients.colour, _WEIGHTS_OF_LUMINANCE))[:count]
    pixels = [_pixels(coefficients, number) for number in range(count)]
    # Of a large picture the change comes in half precision, and is held so.
    found = [_Found(change.dtype, {}) for _ in components]
    squares, power, touched = 0.0, 0.0, []
    for row, band, missing in _bands(coefficients, change, light):
        touched.append(_touched(band))
        planes = _in_colours(band, coefficients.colour)
        shown = planes[: band.shape[0] - missing, : change.shape[1]]
        squares += float(weights @ [_sum_of_squares(shown[..., each]) for each in range(count)])
        for number, component in enumerate(components):
            _transform(component, planes[..., number], pixels[number], row, found[number])
    for top in range(0, len(change), _ROWS):
        power += _sum_of_squares(change[top : top + _ROWS])
    zero = ~np.concatenate(touched)
    wanted = []
    for number, component in enumerate(components):
        fixed = _fixed(zero, pixels[number], component.blocks.shape)
        _leave_padding(fixed, coefficients, pixels[number])
        weight = float(weights[number]) * pixels[number][0] * pixels[number][1]
        wanted.append(_wanted(component, found[number].values, fixed, weight))
    return LaidChange(coefficients, tuple(wanted), power / change.size, squares)


def _wanted(
    component: Component,
    found: dict[int, NDArray[np.floating]],
    fixed: NDArray[np.bool_],
    weight: float,
) -> tuple[_Wanted, ...]:
    wanted = []
    for place in sorted(found):
        values, step = found[place], float(component.table.ravel()[place])
        values[fixed] = 0
        new = _ROUNDED + _NEW / step**2
        old = _coefficient(component, place)
        if old.size <= _MOST_COPIED:
            old = old.copy()  # close together in memory: it is read often
        squares = _sum_of_squares(values)
        wanted.append(_Wanted(place, old, values, new, weight * step**2, squares))
    return tuple(wanted)


def _leave_padding(
    fixed: NDArray[np.bool_], coefficients: Coefficients, pixels: tuple[int, int]
) -> None:
    """Fix the blocks that only fill up an MCU."""
    fixed[-(-coefficients.height // (8 * pixels[0])) :] = True
    fixed[:, -(-coefficients.width // (8 * pixels[1])) :] = True


def _coefficient(component: Component, place: int) -> NDArray[np.int16]:
    """Return one coefficient of all blocks, (rows, columns), as a view."""
    return component.blocks[:, :, place // 8, place % 8]


def _sum_of_squares(values: NDArray[np.generic]) -> float:
    # No BLAS here: its threads, called from several of ours, wait for each other.
    return float(np.square(values, dtype=np.float32).sum(dtype=np.float64))


def _pixels(coefficients: Coefficients, number: int) -> tuple[int, int]:
    """Return the pixels, down and across, that a sample of a component stands for."""
    components = coefficients.components
    most = max(each.vertical for each in components), max(each.horizontal for each in components)
    own = components[number]
    if most[0] % own.vertical or most[1] % own.horizontal:
        raise PictureError("its samples do not stand for whole pixels")
    return most[0] // own.vertical, most[1] // own.horizontal


def _bands(
    coefficients: Coefficients, change: NDArray[np.floating], light: NDArray[np.uint8] | None
) -> Iterator[tuple[int, NDArray[np.float32], int]]:
    """Yield whole rows of MCUs: the number of the first, the change, and how many rows are padding.

    At the right and the bottom the change goes on as at the edge.
    """
    first = coefficients.components[0]
    down, across = _pixels(coefficients, 0)
    columns = first.blocks.shape[1] * across * 8
    rows = first.blocks.shape[0] // first.vertical
    mcu = down * first.vertical * 8
    step = max(1, _BAND_PIXELS // (columns * mcu))
    for row in range(0, rows, step):
        top, bottom = row * mcu, min(row + step, rows) * mcu
        band = change[top:bottom].astype(np.float32)
        if light is not None:
            left = np.maximum(light[top:bottom] / np.float32(255), _LEAST_LIGHT)
            band /= left[..., None]
        missing = bottom - top - band.shape[0]
        padding = ((0, missing), (0, columns - band.shape[1]), (0, 0))
        yield row, np.pad(band, padding, "edge"), missing


def _in_colours(planes: NDArray[np.float32], colour: str) -> NDArray[np.float32]:
    """Take a change of red, green and blue to the components' colours, in levels of 255."""
    # The inks of YCCK are told by the light that they take.
    white = np.float32(-255 if colour == "ycck" else 255)
    if planes.shape[2] == 1 or colour in ("rgb", "cmyk"):
        return planes * white
    matrix = _FROM_RGB * white
    taken = np.empty_like(planes)
    for number, row in enumerate(matrix):  # no BLAS: its threads wait for each other
        np.multiply(planes[..., 0], row[0], out=taken[..., number])
        for channel in (1, 2):
            taken[..., number] += planes[..., channel] * row[channel]
    return taken


def _cosine_transform(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Transform blocks of 8 × 8: (rows, 8, columns, 8) coefficients of (height, width) samples."""
    height, width = samples.shape
    # Products so small that BLAS leaves each to the thread that calls it.
    rows = np.matmul(samples.reshape(height, width // 8, 8), _COSINES.T)
    columns: NDArray[np.float32] = np.matmul(_COSINES, rows.reshape(height // 8, 8, width))
    return columns.reshape(height // 8, 8, width // 8, 8)


def _transform(
    component: Component,
    plane: NDArray[np.float32],
    pixels: tuple[int, int],
    row: int,
    found: _Found,
) -> None:
    """Add a band's coefficients, in steps, to those of them that may change."""
    down, across = pixels
    height, width = plane.shape[0] // down, plane.shape[1] // across
    mean = np.zeros((height, width), np.float32)
    for y in range(down):
        for x in range(across):
            mean += plane[y::down, x::across]
    mean /= down * across
    blocks = _cosine_transform(mean)
    blocks /= component.table[None, :, None, :]
    # The largest of each coefficient over the band; whole rows first, for that is quick.
    reach = np.abs(blocks).max(0).max(1).ravel()
    first = row * component.vertical
    for place in np.flatnonzero(reach * LARGEST_SCALE >= _ROUNDED):
        at = int(place)
        if at not in found.values:
            found.values[at] = np.zeros(component.blocks.shape[:2], found.dtype)
        found.values[at][first : first + height // 8] = blocks[:, at // 8, :, at % 8]


def _touched(band: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which 8 x 8 pixels change."""
    changed = band[..., 0] != 0
    for channel in range(1, band.shape[2]):
        changed |= band[..., channel] != 0
    rows = changed.reshape(-1, 8, band.shape[1]).any(1)
    return np.asarray(rows.reshape(len(rows), -1, 8).any(2))


def _fixed(
    zero: NDArray[np.bool_], pixels: tuple[int, int], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return which blocks of a component stay, (rows, columns); `zero` tells 8 x 8 pixels.

    Decoders smooth enlarged components over the border of a block: one that would so reach pixels
    that stay as they are stays as well.
    """
    down, across = pixels
    if pixels == (1, 1):
        return zero
    wide = np.pad(zero, 1)
    near = np.zeros_like(zero)
    for y in range(3):
        for x in range(3):
            near |= wide[y : y + zero.shape[0], x : x + zero.shape[1]]
    return np.asarray(near.reshape(shape[0], down, shape[1], across).any((1, 3)))
