"""Generated pictures of one design and another content: pages, charts, chats, logos, cards."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

Rgb = Image.Image
Draw = Callable[[np.random.Generator, Rgb], Rgb]  # generator, a photograph of its own

_WORDS = (
    "window garden letter copper winter market silver station harbour number paper people morning "
    "bottle engine travel corner forest public table valley summer bridge office record signal"
)


def _words(generator: np.random.Generator, count: int) -> str:
    return " ".join(generator.choice(_WORDS.split(), size=count).tolist())


def document(generator: np.random.Generator, _: Rgb) -> Rgb:
    """Draw a page of print: heading, paragraphs."""
    page = Image.new("RGB", (620, 877), "white")
    draw = ImageDraw.Draw(page)
    draw.text((60, 50), _words(generator, 3).title(), "black", font_size=20)
    y = 100
    while y < 800:
        for _line in range(int(generator.integers(2, 7))):
            if y < 820:
                draw.text((60, y), _words(generator, 9)[:72], "black", font_size=13)
            y += 18
        y += 14
    return page


def scan(generator: np.random.Generator, photo: Rgb) -> Rgb:
    """Draw a page as a scanner sees it: grey paper, slightly turned, noise."""
    page = document(generator, photo).rotate(
        generator.uniform(-0.8, 0.8), Image.Resampling.BICUBIC, fillcolor="white"
    )
    levels = np.asarray(page, np.float32) * 0.9 + generator.normal(12, 4, size=(877, 620, 1))
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def chart(generator: np.random.Generator, _: Rgb) -> Rgb:
    """Draw a bar chart."""
    page = Image.new("RGB", (800, 500), "white")
    draw = ImageDraw.Draw(page)
    draw.text((400, 10), _words(generator, 3), "black", font_size=18, anchor="ma")
    draw.line((90, 50, 90, 440), "black", 2)
    draw.line((90, 440, 760, 440), "black", 2)
    for bar in range(int(generator.integers(5, 11))):
        left = 110 + 64 * bar
        high = generator.uniform(40, 360)
        draw.rectangle((left, 440 - high, left + 42, 440), (31, 119, 180))
        draw.text((left + 21, 450), _words(generator, 1), "black", font_size=11, anchor="ma")
    return page


def line_chart(generator: np.random.Generator, _: Rgb) -> Rgb:
    """Draw a chart of one or two lines, with a grid."""
    page = Image.new("RGB", (800, 500), "white")
    draw = ImageDraw.Draw(page)
    draw.text((400, 10), _words(generator, 3), "black", font_size=18, anchor="ma")
    for y in range(60, 460, 50):
        draw.line((70, y, 770, y), (220, 220, 220), 1)
    for colour in ((214, 39, 40), (44, 160, 44))[: int(generator.integers(1, 3))]:
        walk = np.cumsum(generator.normal(0, 1, size=24))
        y = 440 - 340 * (walk - walk.min()) / np.ptp(walk)
        draw.line(list(zip(np.linspace(80, 760, 24).tolist(), y.tolist(), strict=True)), colour, 3)
    return page


def chat(generator: np.random.Generator, _: Rgb) -> Rgb:
    """Draw the screen of a chat."""
    page = Image.new("RGB", (540, 1170), (236, 229, 221))
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 540, 100), (7, 94, 84))
    draw.ellipse((20, 30, 70, 80), tuple(generator.integers(0, 255, size=3).tolist()))
    draw.text((85, 45), _words(generator, 1).title(), "white", font_size=20)
    y = 120
    while y < 1050:
        mine, lines = generator.uniform() < 0.5, int(generator.integers(1, 4))
        left = 200 if mine else 20
        draw.rounded_rectangle(
            (left, y, left + 320, y + 20 + 20 * lines), 8, (220, 248, 198) if mine else "white"
        )
        for line in range(lines):
            words = _words(generator, int(generator.integers(2, 5)))[:36]
            draw.text((left + 12, y + 10 + 20 * line), words, "black", font_size=15)
        y += 40 + 20 * lines
    draw.rounded_rectangle((20, 1100, 460, 1150), 24, "white")
    draw.ellipse((475, 1100, 525, 1150), (7, 94, 84))
    return page


def drawing(generator: np.random.Generator, _: Rgb) -> Rgb:
    """Draw polygonal lines at random."""
    page = Image.new("RGB", (600, 600), "white")
    draw = ImageDraw.Draw(page)
    for _stroke in range(25):
        start = generator.uniform(0, 600, size=2)
        steps = np.vstack([start, generator.normal(0, 60, size=(4, 2))])
        draw.line([tuple(point) for point in np.cumsum(steps, axis=0).tolist()], "black", 3)
    return page


def logo(generator: np.random.Generator, _: Rgb) -> Rgb:
    """Draw a plain shape above a word."""
    page = Image.new("RGB", (500, 500), "white")
    draw = ImageDraw.Draw(page)
    colour = tuple(generator.integers(10, 200, size=3).tolist())
    shape = int(generator.integers(4))
    box = (150, 90, 350, 290)
    if shape == 0:
        draw.ellipse(box, colour)
    elif shape == 1:
        draw.rectangle(box, colour)
    elif shape == 2:
        draw.polygon([(250, 90), (350, 290), (150, 290)], colour)
    else:
        draw.ellipse(box, outline=colour, width=35)
    draw.text((250, 340), _words(generator, 2).upper(), colour, font_size=36, anchor="ma")
    return page


def x_ray(generator: np.random.Generator, _: Rgb) -> Rgb:
    """Draw a smooth grey body: spine, lungs and ribs, a little different each time."""
    y, x = np.mgrid[:600, :500].astype(np.float32)
    levels = 60 + 120 * np.exp(-(((x - 250 + generator.normal(0, 3)) / 24) ** 2))
    for side in (-1, 1):
        middle = 250 + side * (105 + generator.normal(0, 4))
        away = ((x - middle) / 55) ** 2 + ((y - 290) / (140 + generator.normal(0, 6))) ** 2
        levels -= 62 * np.exp(-(away**2))
    for rib in range(9):
        top = 118 + 45 * rib + generator.normal(0, 2)
        for side in (-1, 1):
            arc = top + 22 * ((x - 250 - side * 110) / 110) ** 2
            levels += (
                18
                * np.exp(-(((y - arc) / 4) ** 2))
                * (side * (x - 250) > 0)
                * (np.abs(x - 250) < 215)
            )
    levels += generator.normal(0, 2, size=levels.shape)
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8)).convert("RGB")


def sky(generator: np.random.Generator, _: Rgb) -> Rgb:
    """Draw a sky: a gradient with soft clouds."""
    noise = generator.normal(0, 255, size=(8, 10)).astype(np.float32)
    clouds = np.asarray(Image.fromarray(noise).resize((640, 427), Image.Resampling.BICUBIC))
    levels = np.linspace(150, 210, 427)[:, None] + clouds * 0.05
    rgb = np.stack([levels * 0.7, levels * 0.85, levels], axis=2)
    return Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))


def white(generator: np.random.Generator, _: Rgb) -> Rgb:
    """Draw a page with one line and a number."""
    page = Image.new("RGB", (620, 877), "white")
    draw = ImageDraw.Draw(page)
    draw.text((60, 120), _words(generator, 3), "black", font_size=13)
    draw.text((310, 840), str(generator.integers(1, 99)), "black", font_size=13)
    return page


def black(generator: np.random.Generator, _: Rgb) -> Rgb:
    """Draw a black frame with one spot."""
    page = Image.new("RGB", (854, 480), (3, 3, 3))
    x, y = generator.uniform(50, 430, size=2)
    ImageDraw.Draw(page).ellipse((2 * x - 3, y - 3, 2 * x + 3, y + 3), "white")
    return page


def blank(generator: np.random.Generator, _: Rgb) -> Rgb:
    """Return a plain picture."""
    return Image.new("RGB", (640, 480), (int(generator.integers(200, 256)),) * 3)


def card(generator: np.random.Generator, photo: Rgb) -> Rgb:
    """Set a photograph into the frame of a newsroom: logo, bands, headline."""
    page = Image.new("RGB", (800, 800), (150, 10, 20))
    draw = ImageDraw.Draw(page)
    page.paste(ImageOps.fit(photo, (720, 480)), (40, 100))
    draw.rectangle((40, 24, 260, 80), "white")
    draw.text((60, 28), "DAILY NEWS", (150, 10, 20), font_size=32)
    for line in range(20):
        draw.line((300 + 24 * line, 24, 280 + 24 * line, 80), "white", 4)
    draw.text((40, 610), _words(generator, 3).title(), "white", font_size=44)
    draw.text((40, 730), "www.example.org/news · live · subscribe now", "white", font_size=24)
    return page


def ornate_frame(_: np.random.Generator, photo: Rgb) -> Rgb:
    """Hang a photograph into a patterned frame, the same each time."""
    pattern = np.random.default_rng(5).integers(0, 255, size=(100, 100, 3)).astype(np.uint8)
    page = Image.fromarray(pattern).resize((800, 640), Image.Resampling.BICUBIC)
    page.paste(ImageOps.fit(photo, (640, 480)), (80, 80))
    return page.filter(ImageFilter.GaussianBlur(0.6))


STRANGERS: dict[str, Draw] = {
    "document": document,
    "scan": scan,
    "chart": chart,
    "line chart": line_chart,
    "chat": chat,
    "drawing": drawing,
    "logo": logo,
    "x-ray": x_ray,
    "sky": sky,
    "white": white,
    "black": black,
    "blank": blank,
    "card": card,
    "frame": ornate_frame,
}
