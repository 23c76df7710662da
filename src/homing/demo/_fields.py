"""Generated pictures of fields: noise, cells, fractals, waves, blurred lights."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.demo._colours import colourise, dark_first, palette

_Field = NDArray[np.float32]
_Size = tuple[int, int]


def _noise(
    generator: np.random.Generator, size: _Size, *, cells: int, octaves: int, fall: float
) -> _Field:
    """Sum octaves of smooth noise, each twice as fine and ``fall`` times as strong; 0 to 1."""
    width, height = size
    total = np.zeros((height, width), dtype=np.float32)
    strength = 1.0
    for octave in range(octaves):
        across = cells * 2**octave
        grid = generator.random((max(2, across * height // width), across), dtype=np.float32)
        smooth = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)
        total += np.float32(strength) * np.asarray(smooth)
        strength *= fall
    low, high = float(total.min()), float(total.max())
    return (total - np.float32(low)) / np.float32(high - low)


def _coordinates(size: _Size, angle: float) -> tuple[_Field, _Field]:
    """Coordinates along and across a direction, in heights of the picture, 0 at the centre."""
    width, height = size
    x = ((np.arange(width, dtype=np.float32) - width / 2) / height)[None, :]
    y = ((np.arange(height, dtype=np.float32) - height / 2) / height)[:, None]
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return (c * x + s * y).astype(np.float32), (c * y - s * x).astype(np.float32)


def clouds(generator: np.random.Generator, size: _Size) -> Image.Image:
    """Paint fractal clouds in the colours of a palette, some of them ridged."""
    field = _noise(
        generator,
        size,
        cells=int(generator.integers(2, 7)),
        octaves=5,
        fall=float(generator.uniform(0.4, 0.65)),
    )
    if generator.uniform() < 0.4:
        field = np.abs(2 * field - 1) ** np.float32(0.8)
    stretched = (field - np.float32(0.12)) / np.float32(0.76)
    return colourise(stretched, dark_first(generator, palette(generator)))


def marble(generator: np.random.Generator, size: _Size) -> Image.Image:
    """Paint veins: a wave bent by noise."""
    along, _ = _coordinates(size, float(generator.uniform(0, np.pi)))
    noise = _noise(generator, size, cells=int(generator.integers(2, 5)), octaves=4, fall=0.5)
    waves = float(generator.uniform(2, 7))
    bend = float(generator.uniform(1.5, 5))
    field = 0.5 + 0.5 * np.sin(2 * np.pi * (waves * along + bend * noise))
    sharp = np.float32(generator.uniform(0.5, 2))
    return colourise(field.astype(np.float32) ** sharp, dark_first(generator, palette(generator)))


def mosaic(generator: np.random.Generator, size: _Size) -> Image.Image:
    """Paint Voronoi cells with joints between them, lit from one side."""
    width, height = size
    count = int(generator.integers(12, 44))
    seeds = generator.random((count, 2), dtype=np.float32) * np.array(size, dtype=np.float32)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    points = np.stack([x.ravel(), y.ravel(), np.ones(width * height, dtype=np.float32)], axis=1)
    planes = np.concatenate([2 * seeds, -(seeds**2).sum(axis=1, keepdims=True)], axis=1)
    cell = np.argmax(points @ planes.T, axis=1).reshape(height, width)
    colours = np.array(palette(generator), dtype=np.float32)
    chosen = colours[generator.integers(1, 5, size=count)]
    chosen *= generator.uniform(0.8, 1.15, size=(count, 1)).astype(np.float32)
    pixels = chosen[cell]
    slope = (x - seeds[cell, 0] + y - seeds[cell, 1]) / np.float32(height)
    pixels *= 1 - np.float32(generator.uniform(0, 0.7)) * slope[..., None]
    joint = np.zeros((height, width), dtype=bool)
    for shift in range(1, 1 + int(generator.integers(0, 3))):
        joint[:, shift:] |= cell[:, shift:] != cell[:, :-shift]
        joint[shift:] |= cell[shift:] != cell[:-shift]
    pixels[joint] = colours[0]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def julia(generator: np.random.Generator, size: _Size) -> Image.Image:
    """Paint a Julia set, z² + c with c near the edge of the Mandelbrot set's main body."""
    angle = float(generator.uniform(0.1, 2 * np.pi - 0.1))
    edge = np.exp(1j * angle) / 2 - np.exp(2j * angle) / 4
    c = np.complex64(edge * generator.uniform(1.02, 1.08))
    small = (max(8, size[0] // 2), max(8, size[1] // 2))  # smooth values: half the grid suffices
    along, across = _coordinates(small, float(generator.uniform(0, np.pi)))
    zoom = np.float32(generator.uniform(1.2, 2.4))
    z = (zoom * (along + 1j * across)).astype(np.complex64)
    escape = np.zeros(z.shape, dtype=np.float32)
    steps = 28
    for _ in range(steps):
        z = z * z + c
        size_squared = z.real**2 + z.imag**2
        inside = size_squared < 16
        escape += np.where(inside, 1, 0)
        z[~inside] = 1e3  # stays outside without overflowing
    field = (escape / np.float32(steps)) ** np.float32(generator.uniform(0.5, 0.9))
    smooth = np.asarray(Image.fromarray(field).resize(size, Image.Resampling.BICUBIC))
    return colourise(smooth, dark_first(generator, palette(generator)))


def rings(generator: np.random.Generator, size: _Size) -> Image.Image:
    """Paint waves from two to four centres, interfering."""
    x, y = _coordinates(size, 0.0)
    total = np.zeros((size[1], size[0]), dtype=np.float32)
    count = int(generator.integers(2, 5))
    for _ in range(count):
        left, top = generator.uniform(-0.7, 0.7, size=2).astype(np.float32)
        waves = np.float32(2 * np.pi * generator.uniform(3, 11))
        total += np.sin(waves * np.sqrt((x - left) ** 2 + (y - top) ** 2))
    field = 0.5 + total / np.float32(2 * count) * np.float32(1.3)
    colours = dark_first(generator, palette(generator))
    if generator.uniform() < 0.5:
        levels = np.float32(generator.integers(3, 6))
        field = np.floor(field.clip(0, 0.999) * levels) / (levels - 1)
    return colourise(field, colours)


def plaid(generator: np.random.Generator, size: _Size) -> Image.Image:
    """Weave bands of colour, or a chequered ground, turned at random."""
    colours = np.array(palette(generator), dtype=np.float32)
    angle = float(generator.choice([0, np.pi / 4, generator.uniform(0, np.pi)]))
    along, across = _coordinates(size, angle)
    count = int(generator.integers(4, 9))
    order = generator.integers(5, size=count)
    edges = np.cumsum(generator.uniform(0.3, 1.5, size=count))
    period = np.float32(generator.uniform(0.2, 0.6))

    def band(coordinate: _Field) -> NDArray[np.float32]:
        phase = (coordinate / period % 1) * np.float32(edges[-1])
        striped: _Field = colours[order[np.searchsorted(edges, phase).clip(0, count - 1)]]
        return striped

    if generator.uniform() < 0.3:
        squares = np.floor(along / period * 2) + np.floor(across / period * 2)
        pixels = np.where((squares % 2 == 0)[..., None], colours[order[0]], colours[order[1] - 1])
        pixels = 0.75 * pixels + 0.25 * band(along)
    else:
        thread = 0.5 + 0.12 * np.sign(np.sin(np.float32(400) * (along + across)))[..., None]
        pixels = thread * band(along) + (1 - thread) * band(across)
    shade = 1 - np.float32(0.25) * (along**2 + across**2)
    return Image.fromarray((pixels * shade[..., None]).clip(0, 255).astype(np.uint8))


def lights(generator: np.random.Generator, size: _Size) -> Image.Image:
    """Paint lights out of focus before a dark ground."""
    x, y = _coordinates(size, 0.0)
    colours = np.array(palette(generator), dtype=np.float32)
    pixels = np.empty((size[1], size[0], 3), dtype=np.float32)
    fall = (np.float32(0.6) + y * np.float32(generator.uniform(-0.7, 0.7)))[..., None]
    pixels[:] = fall * (0.6 * colours[0] + 0.4 * colours[1])
    width, height = size
    for _ in range(int(generator.integers(10, 34))):
        radius = float(generator.uniform(0.03, 0.17))
        left, top = float(generator.uniform(-0.66, 0.66)), float(generator.uniform(-0.5, 0.5))
        # Only the square around the disc is computed: most of the cost is pixels.
        columns = slice(
            max(0, int((left - radius) * height + width / 2)),
            max(0, int((left + radius) * height + width / 2) + 2),
        )
        rows = slice(
            max(0, int((top - radius) * height + height / 2)),
            max(0, int((top + radius) * height + height / 2) + 2),
        )
        distance = np.sqrt((x[rows, columns] - left) ** 2 + (y[rows, columns] - top) ** 2) / radius
        disc = ((1 - distance) * 12).clip(0, 1) * (0.5 + 0.5 * distance**4)
        light = colours[int(generator.integers(2, 5))] * np.float32(generator.uniform(0.2, 0.7))
        pixels[rows, columns] += disc[..., None] * light
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


PAINTERS = (clouds, marble, mosaic, julia, rings, plaid, lights)
