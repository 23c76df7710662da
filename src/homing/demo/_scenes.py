"""Generated drawings: landscapes, towns, shapes, tiles, brush strokes.

All are drawn at twice the size and reduced, which smooths edges.
"""

import numpy as np
from PIL import Image, ImageDraw

from homing.demo._colours import Colour, gradient, mix, palette

_Size = tuple[int, int]
_Point = tuple[float, float]


def _twice(size: _Size) -> _Size:
    return 2 * size[0], 2 * size[1]


def _ridge(
    generator: np.random.Generator, width: int, *, level: float, relief: float, rough: bool
) -> list[_Point]:
    """Draw the outline of a row of hills: some waves, or a jagged line of the same spectrum."""
    x = np.linspace(0, 1, 48)
    y = np.zeros_like(x)
    for octave in range(1, 7 if rough else 4):
        waves = float(generator.uniform(0.7, 1.4)) * 1.9**octave / 2
        y += np.sin(2 * np.pi * (waves * x + generator.uniform())) / 1.7**octave
    if rough:
        y += generator.normal(0, 0.12, size=len(x))
    return list(zip((x * width).tolist(), (level - relief * y).tolist(), strict=True))


def landscape(generator: np.random.Generator, size: _Size) -> Image.Image:
    """Draw rows of hills that fade into the distance, under a sky with a sun or a moon."""
    width, height = _twice(size)
    colours = palette(generator)
    night = generator.uniform() < 0.3
    sky = [colours[0], colours[1], colours[2]] if night else [colours[2], colours[3], colours[4]]
    picture = gradient((width, height), sky)
    draw = ImageDraw.Draw(picture)
    horizon = height * float(generator.uniform(0.35, 0.65))
    radius = height * float(generator.uniform(0.05, 0.14))
    x = width * float(generator.uniform(0.12, 0.88))
    y = horizon * float(generator.uniform(0.2, 0.8))
    draw.circle((x, y), radius, fill=mix(colours[4], (255, 255, 255), 0.5))
    if night:
        for left, top in generator.uniform(size=(50, 2)).tolist():
            draw.circle((left * width, top * horizon), 1.2, fill=colours[4])
    layers = int(generator.integers(3, 6))
    rough = bool(generator.uniform() < 0.5)
    for layer in range(layers):
        depth = layer / (layers - 1)
        level = horizon + (height - horizon) * depth * 0.85
        relief = height * float(generator.uniform(0.05, 0.13)) * (1 - 0.4 * depth)
        outline = _ridge(generator, width, level=level, relief=relief, rough=rough)
        colour = mix(sky[1], colours[0], 0.25 + 0.75 * depth)
        draw.polygon([(0, height), *outline, (width, height)], fill=colour)
        if layer == layers - 2 and generator.uniform() < 0.6:
            _trees(generator, draw, outline, mix(colours[1], colours[0], 0.7), height)
    return picture.reduce(2)


def _trees(
    generator: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    outline: list[_Point],
    colour: Colour,
    height: int,
) -> None:
    for index in generator.integers(len(outline), size=int(generator.integers(5, 22))).tolist():
        x, y = outline[index]
        tall = height * float(generator.uniform(0.06, 0.15))
        for step in (0, 0.3, 0.6):
            half = tall * 0.3 * (1 - step)
            top = y - tall * (step + 0.45)
            draw.polygon(
                [(x - half, y - tall * step), (x, top), (x + half, y - tall * step)], colour
            )


def skyline(generator: np.random.Generator, size: _Size) -> Image.Image:
    """Draw a town at dusk: blocks with windows, some of them lit."""
    width, height = _twice(size)
    colours = palette(generator)
    picture = gradient((width, height), colours[1:4] if generator.uniform() < 0.6 else colours[2:])
    draw = ImageDraw.Draw(picture)
    for row in range(2):
        wall = mix(colours[1], colours[0], 0.3 + 0.7 * row)
        left = -width * float(generator.uniform(0, 0.1))
        while left < width:
            wide = width * float(generator.uniform(0.06, 0.17))
            top = height * float(generator.uniform(0.15, 0.6) + 0.2 * row)
            draw.rectangle((left, top, left + wide, height), fill=wall)
            if generator.uniform() < 0.3:
                draw.polygon(
                    [(left, top), (left + wide / 2, top - wide / 2), (left + wide, top)], wall
                )
            if row:
                _windows(generator, draw, (left, top, wide, height), (colours[4], colours[2]))
            left += wide * float(generator.uniform(0.9, 1.3))
    return picture.reduce(2)


def _windows(
    generator: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    block: tuple[float, float, float, float],
    colours: tuple[Colour, Colour],
) -> None:
    left, top, wide, bottom = block
    columns = max(2, int(wide / 18))
    pitch = wide / columns
    rows = min(12, int((bottom - top) / (1.4 * pitch)))
    lit = generator.random((rows, columns))
    for row in range(rows):
        for column in range(columns):
            if lit[row, column] < 0.6:
                x = left + (column + 0.28) * pitch
                y = top + (row + 0.4) * pitch * 1.4
                colour = colours[0] if lit[row, column] < 0.35 else colours[1]
                draw.rectangle((x, y, x + 0.44 * pitch, y + 0.6 * pitch), fill=colour)


def shapes(generator: np.random.Generator, size: _Size) -> Image.Image:
    """Draw discs, polygons and bars, half transparent, one over the other."""
    width, height = _twice(size)
    colours = palette(generator)
    ends = generator.permutation(5)[:2].tolist()
    picture = gradient((width, height), [colours[ends[0]], colours[ends[1]]])
    draw = ImageDraw.Draw(picture, "RGBA")
    kind = int(generator.integers(4))  # 3: all kinds
    for _ in range(int(generator.integers(5, 16))):
        x, y = (generator.uniform(size=2) * (width, height)).tolist()
        radius = height * float(generator.uniform(0.06, 0.3))
        fill = (*colours[int(generator.integers(5))], int(generator.integers(110, 256)))
        form = kind if kind < 3 else int(generator.integers(3))
        if form == 0:
            draw.circle((x, y), radius, fill=fill)
        elif form == 1:
            sides = int(generator.integers(3, 7))
            draw.regular_polygon((x, y, radius), sides, int(generator.integers(360)), fill=fill)
        else:
            angle = float(generator.uniform(0, np.pi))
            dx, dy = 2 * radius * np.cos(angle), 2 * radius * np.sin(angle)
            draw.line((x - dx, y - dy, x + dx, y + dy), fill=fill, width=max(2, int(radius / 3)))
    return picture.reduce(2)


def tiles(generator: np.random.Generator, size: _Size) -> Image.Image:
    """Draw Truchet tiles: quarter discs, triangles or arcs on a square grid."""
    width, height = _twice(size)
    colours = palette(generator)
    pitch = max(8, int(height / generator.integers(3, 9)))
    picture = Image.new("RGB", (width, height), colours[int(generator.integers(5))])
    draw = ImageDraw.Draw(picture)
    kind = int(generator.integers(3))
    inks = [colours[index] for index in generator.permutation(5)[: int(generator.integers(2, 5))]]
    for top in range(0, height, pitch):
        for left in range(0, width, pitch):
            turn = int(generator.integers(4))
            ink = inks[int(generator.integers(len(inks)))]
            corners = [(left, top), (left + pitch, top), (left + pitch, top + pitch)]
            corners.append((left, top + pitch))
            if kind == 0:
                draw.rectangle((*corners[0], *corners[2]), fill=inks[0])
                x, y = corners[turn]
                box = (x - pitch, y - pitch, x + pitch, y + pitch)
                # Angles run clockwise from three o'clock: the quarter that lies in the tile.
                draw.pieslice(box, 90 * turn, 90 * turn + 90, fill=ink)
            elif kind == 1:
                draw.polygon([corners[turn], corners[(turn + 1) % 4], corners[(turn + 2) % 4]], ink)
            else:
                for corner in (turn % 2, turn % 2 + 2):
                    x, y = corners[corner]
                    half = pitch * 0.62
                    curve = (x - half, y - half, x + half, y + half)
                    draw.arc(curve, 90 * corner, 90 * corner + 90, ink, width=max(2, pitch // 4))
    return picture.reduce(2)


def strokes(generator: np.random.Generator, size: _Size) -> Image.Image:
    """Draw brush strokes that follow a slowly turning direction."""
    width, height = _twice(size)
    colours = palette(generator)
    picture = gradient((width, height), [colours[int(generator.integers(5))], colours[1]])
    draw = ImageDraw.Draw(picture)
    count = int(generator.integers(80, 150))
    x, y = generator.uniform(size=(2, count)) * np.array([[width], [height]])
    waves = generator.uniform(0.5, 2.5, size=2)
    turn = generator.uniform(0, 2 * np.pi)
    wide = generator.integers(8, 34, size=count)
    tone = (2.5 * x / width + 2.5 * y / height + generator.normal(0, 0.8, size=count)) % 5
    points = [(x, y)]
    for _ in range(4):
        last_x, last_y = points[-1]
        angle = (
            turn
            + 2 * np.sin(waves[0] * 2 * np.pi * last_x / width)
            + 2 * np.cos(waves[1] * 2 * np.pi * last_y / height)
        )
        step = height * 0.05
        points.append((last_x + step * np.cos(angle), last_y + step * np.sin(angle)))
    paths = np.array(points).transpose(2, 0, 1)
    for path, ink, thickness in zip(paths, tone.astype(int), wide.tolist(), strict=True):
        draw.line(path.ravel().tolist(), fill=colours[ink], width=thickness, joint="curve")
    return picture.reduce(2)


PAINTERS = (landscape, skyline, shapes, tiles, strokes)
