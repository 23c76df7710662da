"""Generated pictures of documents: charts and pages of text."""

import itertools

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from homing.demo._colours import Colour, mix, palette

_Size = tuple[int, int]


def chart(generator: np.random.Generator, size: _Size) -> Image.Image:
    """Draw a chart on a card: bars, lines or a ring."""
    width, height = 2 * size[0], 2 * size[1]  # reduced at the end, which smooths edges
    colours = palette(generator)
    dark = generator.uniform() < 0.3
    paper, ink = mix(colours[4], (255, 255, 255), 0.6), colours[0]
    inks = [colours[1], colours[2], colours[3], colours[0]]
    if dark:
        paper, ink = colours[0], colours[4]
        inks = [colours[4], colours[3], colours[2], mix(colours[2], ink, 0.5)]
    picture = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(picture)
    draw.text(
        (width * 0.08, height * 0.05),
        _words(generator, int(generator.integers(1, 4))).capitalize(),
        fill=ink,
        font=ImageFont.load_default(height * 0.075),
    )
    left, top, right, bottom = width * 0.08, height * 0.2, width * 0.93, height * 0.9
    kind = int(generator.integers(3))
    if kind < 2:
        for line in range(5):
            y = top + (bottom - top) * line / 4
            draw.line((left, y, right, y), fill=mix(paper, ink, 0.2), width=2)
        area = (left, top, right, bottom)
        (_bars if kind == 0 else _lines)(generator, draw, area, inks)
    else:
        _ring(generator, draw, (width * 0.5, height * 0.56, height * 0.33), [*inks, paper])
    return picture.reduce(2)


def _bars(
    generator: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    area: tuple[float, float, float, float],
    colours: list[Colour],
) -> None:
    left, top, right, bottom = area
    count, series = int(generator.integers(3, 11)), int(generator.integers(1, 4))
    pitch = (right - left) / count
    for index in range(count):
        for part in range(series):
            x = left + pitch * (index + 0.15 + 0.7 * part / series)
            high = (bottom - top) * float(generator.uniform(0.08, 0.98))
            draw.rectangle((x, bottom - high, x + 0.64 * pitch / series, bottom), colours[part])


def _lines(
    generator: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    area: tuple[float, float, float, float],
    colours: list[Colour],
) -> None:
    left, top, right, bottom = area
    count = int(generator.integers(5, 20))
    x = np.linspace(left, right, count)
    for part in range(int(generator.integers(1, 4))):
        walk = np.cumsum(generator.normal(0, 1, size=count))
        y = bottom - (bottom - top) * (0.1 + 0.8 * (walk - walk.min()) / np.ptp(walk))
        points = list(zip(x.tolist(), y.tolist(), strict=True))
        draw.line(points, fill=colours[part], width=7, joint="curve")
        if count < 12:
            for point in points:
                draw.circle(point, 8, fill=colours[part])


def _ring(
    generator: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    circle: tuple[float, float, float],
    colours: list[Colour],
) -> None:
    x, y, radius = circle
    ends = np.cumsum(generator.uniform(0.2, 1, size=int(generator.integers(3, 8))))
    start = float(generator.uniform(0, 360))
    angles = [start, *(start + 360 * ends / ends[-1]).tolist()]
    box = (x - radius, y - radius, x + radius, y + radius)
    for index, (first, last) in enumerate(itertools.pairwise(angles)):
        light = 0.0 if index < 4 else 0.45
        colour = mix(colours[index % 4], colours[4], light)
        draw.pieslice(box, first, last, fill=colour, outline=colours[4], width=4)
    draw.circle((x, y), radius * float(generator.choice([0.01, 0.5, 0.7])), fill=colours[4])


_SYLLABLES = "an ber cal dor el fin gra hol im jun kel lo mar nes or pra qui ral sen tor"


def _words(generator: np.random.Generator, count: int) -> str:
    lengths = generator.integers(1, 4, size=count).tolist()
    syllables = _SYLLABLES.split()
    parts = generator.integers(len(syllables), size=sum(lengths)).tolist()
    words = []
    for length in lengths:
        words.append("".join(syllables[parts.pop()] for _ in range(length)))
    return " ".join(words)


def page(generator: np.random.Generator, size: _Size) -> Image.Image:
    """Draw a page of text in one to three columns, with a heading and perhaps a picture."""
    width, height = size
    colours = palette(generator)
    paper = mix(colours[4], (255, 255, 255), float(generator.uniform(0.3, 0.9)))
    picture = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(picture)
    margin = int(width * generator.uniform(0.05, 0.12))
    heading = ImageFont.load_default(height * float(generator.uniform(0.08, 0.13)))
    title = _words(generator, 2).title()
    y = height * 0.05
    if generator.uniform() < 0.4:
        draw.rectangle((0, 0, width, height * 0.24), fill=colours[1])
        draw.text((margin, y), title, fill=paper, font=heading)
    else:
        draw.text((margin, y), title, fill=colours[1], font=heading)
    columns = int(generator.integers(1, 4))
    letters = height * float(generator.uniform(0.038, 0.06))
    font = ImageFont.load_default(letters)
    pitch = (width - 2 * margin) / columns
    boxed = int(generator.integers(-1, columns))
    for column in range(columns):
        left = margin + column * pitch
        top = height * 0.29
        if column == boxed:
            high = height * float(generator.uniform(0.2, 0.4))
            box = (left, top, left + pitch * 0.92, top + high)
            draw.rectangle(box, fill=colours[2])
            draw.circle((left + pitch * 0.5, top + high / 2), high * 0.3, fill=colours[3])
            top += high + letters
        count = int((height * 0.95 - top) / (1.5 * letters))
        room = max(4, int(pitch * 0.9 / (letters * 0.55)))
        lines = [_words(generator, 8)[:room] for _ in range(count)]
        if lines:
            lines[-1] = lines[-1][: room // 2]
        draw.multiline_text(
            (left, top), "\n".join(lines), fill=colours[0], font=font, spacing=letters * 0.4
        )
    return picture


PAINTERS = (chart, page)
