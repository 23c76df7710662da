"""How samples are shown: taken to sRGB by what a file tells of its colours.

What tells most exactly counts: cICP, an ICC profile, an sRGB chunk, gAMA and cHRM, in this order
(as the PNG standard has it). Profiles are applied by LittleCMS, the others by their formulas. What
is brighter than the white of a page is toned down. Colours beyond sRGB become its nearest ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from homing.errors import PictureError
from homing.images.limits import DECODER_ERRORS
from homing.images.pixels import Pixels
from homing.images.told import Told

_Floats = NDArray[np.float32]
_WHOLE = 65535
_BAND_PIXELS = 1 << 16  # a band's arrays stay in the processor's cache
_ALIKE = 2 * 257  # of 65,535: colours so near those of sRGB are sRGB, coded and rounded
_SAME_PRIMARIES = 1e-3  # of linear light
_EVEN = 0.1  # of the range: a tone curve so near that of sRGB needs no help
_LATTICE = 9  # colours a side on which profiles are compared

_INTENT = 1  # relative colorimetric
_BLACK_POINT = 0x2000  # compensated
_EXACT = 0x100  # without tables of its own
_LEAST_LIGHT = 1e-6  # squared, of a primary
_PROBED = 4097  # levels of a channel
_LARGEST_PROFILE = 16 << 20

_SRGB_GAMMA = range(45000, 46000)  # 1 / 2.2, which stands for the curve of sRGB
_GAMMAS = range(10000, 1000001)
_LINEAR, _PQ, _HLG = 8, 16, 18  # transfers of ITU-T H.273; the others are shown as sRGB is
_POWERS = MappingProxyType({4: 2.2, 5: 2.8})
_PAGE = 203.0  # cd/m² of the white of a page in HDR (ITU-R BT.2408)
_HLG_SCREEN, _HLG_GAMMA = 1000.0, 1.2  # of the screen that HLG is made for (ITU-R BT.2100)
_KNEE = 0.5  # of linear light, from which a picture brighter than a page is toned down

_D65 = (0.3127, 0.3290)
_BT709 = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
#: x, y of white, red, green and blue by their number in ITU-T H.273.
_PRIMARIES = MappingProxyType(
    {
        4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
        5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
        6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
        7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
        9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
        11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
        12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    }
)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


@dataclass(frozen=True, eq=False)
class Colour:
    """How samples are shown."""

    told_by: str  # what tells it: "cICP", "ICC", "sRGB", "gAMA", "nothing"
    #: Takes (h, w, 1 or 3) samples of the whole range of their type to sRGB; None: they are sRGB.
    convert: Callable[[Pixels], Pixels] | None = None

    @cached_property
    def tones(self) -> _Floats:
        """Greys of 16 bits, black to white, as shown, in units of the range."""
        greys = np.arange(_WHOLE + 1, dtype=np.uint16)
        if self.convert is None:
            return _levels()
        shown = self.convert(np.broadcast_to(greys[:, None, None], (greys.size, 1, 3)))
        means = shown.mean((1, 2), np.float32) / np.float32(_WHOLE)
        return np.asarray(np.maximum.accumulate(means))

    @cached_property
    def levels(self) -> _Floats:
        """Greys, in units of the range, that are shown as 16 bits, black to white."""
        shown = np.linspace(0, 1, _WHOLE + 1)
        # Of several greys that are shown alike the middle one.
        tones, first = np.unique(self.tones, return_index=True)
        last = np.append(first[1:], self.tones.size) - 1
        return np.asarray(np.interp(shown, tones, (first + last) / (2 * _WHOLE)), np.float32)

    @cached_property
    def even(self) -> bool:
        """Whether steps of samples are seen nearly as steps of sRGB."""
        straight = np.linspace(0, 1, _WHOLE + 1, dtype=np.float32)
        return self.convert is None or float(np.abs(self.tones - straight).max()) <= _EVEN


SRGB = Colour("nothing")


def colour_of(told: Told, channels: int, brightest: float = 1.0) -> Colour:
    """Return how samples are shown by what their file tells.

    `channels` are those of the picture, 1, 3 or 4 of inks; `brightest`, of its range, is its
    largest sample.
    """
    if told.cicp is not None and len(told.cicp) == 4 and told.cicp[2] == 0:
        return _colour("cICP", _by_cicp(told.cicp, brightest))
    if told.icc and (profiled := _profile(told.icc, channels)) is not None:
        return profiled
    if told.srgb:
        return Colour("sRGB")
    # Python looks for None in a range by walking through all of it, 15 ms a picture.
    gamma = None if told.gamma is None or told.gamma not in _GAMMAS else told.gamma
    chromaticities = told.chromaticities if _sound(told.chromaticities) else None
    if gamma is None and chromaticities is None:
        return SRGB
    power = None if gamma is None or gamma in _SRGB_GAMMA else 100000 / gamma
    light = _levels() ** power if power else _light(_levels())
    return _colour("gAMA", _formula(light, chromaticities or _BT709))


def _colour(told_by: str, convert: Callable[[Pixels], Pixels]) -> Colour:
    """Return a colour; one that shows a lattice of colours as sRGB does is sRGB."""
    return Colour(told_by, None if _is_srgb(convert) else convert)


def _is_srgb(convert: Callable[[Pixels], Pixels]) -> bool:
    lattice = _lattice()
    return int(np.abs(convert(lattice).astype(np.int32) - lattice).max()) <= _ALIKE


def _lattice() -> NDArray[np.uint16]:
    steps = np.linspace(0, _WHOLE, _LATTICE).astype(np.uint16)
    return np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 1, 3)


@lru_cache(maxsize=16)
def _profile(icc: bytes, channels: int) -> Colour | None:
    """Return the colour of an ICC profile; None if it is damaged, or of another colour space."""
    spaces = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}
    if spaces.get(icc[16:20]) != channels or len(icc) > _LARGEST_PROFILE:
        return None
    try:
        if channels == 1:
            greys = np.arange(_WHOLE + 1, dtype=np.uint16).reshape(-1, 1, 1)
            table = _managed(icc, "gray", greys, exact=True).mean(2).astype(np.uint16).ravel()
            found = _colour("ICC", partial(_looked_up, table))
        elif channels == 3:
            found = _colour("ICC", _screen(icc) or partial(_managed, icc, "rgb"))
        else:
            found = Colour("ICC", partial(_managed, icc, "cmyk"))
            _managed(icc, "cmyk", np.zeros((1, 1, 4), np.uint8))
    except (PictureError, *DECODER_ERRORS):
        return None
    return found


def _managed(icc: bytes, space: str, pixels: Pixels, *, exact: bool = False) -> Pixels:
    """Have LittleCMS show samples, tenfold slower where it must not round its own tables."""
    import imagecodecs

    stored = np.ascontiguousarray(pixels)
    shown: Pixels = imagecodecs.cms_transform(
        stored[..., 0] if space == "gray" else stored,
        icc,
        imagecodecs.cms_profile("srgb"),
        colorspace=space,
        outcolorspace="rgb",
        outdtype=pixels.dtype,
        intent=_INTENT,
        flags=_BLACK_POINT | (_EXACT if exact else 0),
    )
    return shown.reshape(*pixels.shape[:2], 3)


def _screen(icc: bytes) -> Callable[[Pixels], Pixels] | None:
    """Return the formula of a profile that has one, as those of screens and working spaces do.

    LittleCMS tells its light, and shows a lattice of colours: without one, or if the formula shows
    them otherwise, None. (Its own tables are off by up to 27 levels of 255 in 16 bits.)
    """
    import imagecodecs

    light, matrix = _light_of(icc)
    _, ours = _light_of(imagecodecs.cms_profile("srgb"))
    convert = partial(_mixed, light, (np.linalg.inv(ours) @ matrix).astype(np.float32))
    lattice = _lattice()
    away = convert(lattice).astype(np.int32) - _managed(icc, "rgb", lattice, exact=True)
    return convert if np.abs(away).max() <= _ALIKE else None


def _light_of(icc: bytes) -> tuple[_Floats, NDArray[np.float64]]:
    """Return each channel's light at 65,536 levels, and the matrix to XYZ under D50."""
    import imagecodecs

    steps = np.unique(np.linspace(0, _WHOLE, _PROBED).round()).astype(np.uint16)
    ramps = np.zeros((3, steps.size, 3), np.uint16)
    for channel in range(3):
        ramps[channel, :, channel] = steps
    xyz = imagecodecs.cms_transform(
        ramps,
        icc,
        imagecodecs.cms_profile("xyz"),
        colorspace="rgb",
        outcolorspace="xyz",
        outdtype=np.float64,
        intent=_INTENT,
        flags=_EXACT,
    ).reshape(ramps.shape)
    most = xyz[:, -1]
    power = (most * most).sum(1)
    if not (np.isfinite(xyz).all() and power.min() > _LEAST_LIGHT):
        raise PictureError("the profile is damaged: a primary gives no light")
    shares = (xyz * most[:, None]).sum(2) / power[:, None]
    every = np.arange(_WHOLE + 1)
    light = np.stack([np.interp(every, steps, each) for each in shares])
    return light.clip(0, 1).astype(np.float32), most.T


def _looked_up(table: NDArray[np.uint16], pixels: Pixels) -> Pixels:
    """Show each channel by a table of 16 bits."""
    if pixels.dtype == np.uint8:
        return np.asarray(((table[::257] + np.uint32(128)) // 257).astype(np.uint8)[pixels])
    return np.asarray(table[pixels])


def _levels() -> _Floats:
    return np.linspace(0, 1, _WHOLE + 1, dtype=np.float32)


def _light(levels: _Floats) -> _Floats:
    """Return the linear light of sRGB's levels (IEC 61966-2-1)."""
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4).astype(
        np.float32
    )


@lru_cache(maxsize=1)
def _coded() -> NDArray[np.uint16]:
    """Return sRGB's levels of linear light, both in 65,536 steps."""
    light = _levels()
    levels = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(levels * _WHOLE), np.uint16)


def _by_cicp(cicp: bytes, brightest: float) -> Callable[[Pixels], Pixels]:
    primaries, transfer, _, full = cicp
    levels = _levels()
    if not full:  # black is 16 and white 235, of 255
        levels = ((levels * 255 - 16) / 219).clip(0, 1)
        brightest = min(1.0, (brightest * 255 - 16) / 219)
    if transfer in (_PQ, _HLG):
        of = _pq_light if transfer == _PQ else _hlg_light
        light = _toned_down(of(levels), float(of(np.array([max(brightest, 0)], np.float32))[0]))
    elif transfer in _POWERS:
        light = levels ** _POWERS[transfer]
    else:
        light = levels if transfer == _LINEAR else _light(levels)
    return _formula(light, _PRIMARIES.get(primaries, _BT709))


def _pq_light(levels: _Floats) -> _Floats:
    """Return the light of PQ (SMPTE ST 2084); 1 is the white of a page."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = levels.astype(np.float64) ** (1 / m2)
    light = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return (light * (10000 / _PAGE)).astype(np.float32)


def _hlg_light(levels: _Floats) -> _Floats:
    """Return the light of HLG (ITU-R BT.2100) on its screen; 1 is the white of a page."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(levels <= 0.5, levels**2 / 3, (np.exp((levels - c) / a) + b) / 12)
    return (scene**_HLG_GAMMA * (_HLG_SCREEN / _PAGE)).astype(np.float32)


def _toned_down(light: _Floats, brightest: float) -> _Floats:
    """Return light of at most 1: what is brighter is drawn in, the darker half stays.

    After Reinhard et al. (2002), with the brightest light of the picture as white.
    """
    if brightest <= 1:
        return light.clip(0, 1)
    over = np.maximum(light - np.float32(_KNEE), 0) / np.float32(1 - _KNEE)
    most = (brightest - _KNEE) / (1 - _KNEE)
    drawn = over * (1 + over / np.float32(most**2)) / (1 + over)
    toned = np.minimum(light, np.float32(_KNEE) + drawn * np.float32(1 - _KNEE))
    return np.asarray(toned.clip(0, 1))


def _formula(light: _Floats, chromaticities: tuple[float, ...]) -> Callable[[Pixels], Pixels]:
    """Return the way to sRGB of samples with that light at each of 65,536 levels."""
    matrix = np.linalg.inv(_to_xyz(_BT709)) @ _to_xyz(chromaticities)
    if np.abs(matrix - np.eye(3)).max() < _SAME_PRIMARIES:
        return partial(_looked_up, _coded()[_places(light)])
    return partial(_mixed, np.stack([light] * 3), matrix.astype(np.float32))


def _mixed(light: _Floats, matrix: _Floats, pixels: Pixels) -> Pixels:
    """Mix the light of three channels, and code it; grey has none to mix."""
    if pixels.shape[2] == 1:
        return _looked_up(_coded()[_places(light[1])], pixels)
    shown, coded = np.empty(pixels.shape, pixels.dtype), _coded()
    if pixels.dtype == np.uint8:
        light = light[:, ::257]
        coded = ((coded + np.uint32(128)) // 257).astype(np.uint8)
    band = max(1, _BAND_PIXELS // pixels.shape[1])
    for top in range(0, pixels.shape[0], band):
        part = pixels[top : top + band]
        red, green, blue = (light[each][part[:, :, each]] for each in range(3))
        for channel, (r, g, b) in enumerate(matrix):
            mixed = red * r
            mixed += green * g
            mixed += blue * b
            shown[top : top + band, :, channel] = coded[_places(mixed)]
    return shown


def _places(light: _Floats) -> NDArray[np.uint16]:
    """Return the places of light in :func:`_coded`."""
    return np.asarray(light.clip(0, 1) * np.float32(_WHOLE) + np.float32(0.5), np.uint16)


def _sound(chromaticities: tuple[float, ...] | None) -> bool:
    """Return whether chromaticities span colours."""
    if chromaticities is None or len(chromaticities) != 8:
        return False
    pairs = np.array(chromaticities).reshape(4, 2)
    if pairs.min() < 0 or pairs[:, 1].min() <= 0 or pairs.sum(1).max() > 1.1:
        return False
    (rx, ry), (gx, gy), (bx, by) = pairs[1:]
    return bool(abs((gx - rx) * (by - ry) - (bx - rx) * (gy - ry)) > 1e-3)


def _to_xyz(chromaticities: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the matrix from linear red, green and blue to XYZ, white taken to that of sRGB."""
    x, y = np.array(chromaticities, np.float64).reshape(4, 2).T
    columns = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    white, primaries = columns[:, 0], columns[:, 1:]
    matrix = primaries * np.linalg.solve(primaries, white)
    d65 = np.array([_D65[0] / _D65[1], 1.0, (1 - sum(_D65)) / _D65[1]])
    gains = (_BRADFORD @ d65) / (_BRADFORD @ white)
    adapted = np.linalg.inv(_BRADFORD) @ (gains[:, None] * (_BRADFORD @ matrix))
    return np.asarray(adapted)
