"""Overlay edits: stickers, text and captions on a picture, and a picture on a screen."""

from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from homing.edits._augly import characters, emoji_files, font_files, random_available, template
from recipe.geometry import Pixels

_EMOJI_SIDE = 72
_LINES = 600  # number of lines of letters drawn beforehand
_WORDS = [
    "the",
    "of",
    "one",
    "you",
    "that",
    "this",
    "when",
    "not",
    "what",
    "how",
    "nobody",
    "everyone",
    "always",
    "never",
    "monday",
    "me",
]


@dataclass(frozen=True, eq=False)
class Overlays:
    """Stickers, lettering and screens to draw from."""

    # (h, w, 4): colour and alpha
    stickers: tuple[NDArray[np.uint8], ...] = field(repr=False)
    # (h, w): coverage of a line of letters, some 48 pixels high
    lettering: tuple[NDArray[np.uint8], ...] = field(repr=False)
    # the same, of readable words for captions
    words: tuple[NDArray[np.uint8], ...] = field(repr=False)
    # (h, w, 3), and left, upper, right, lower edge of the picture's place
    screens: tuple[tuple[Pixels, tuple[int, int, int, int]], ...] = field(repr=False)

    def sticker(self, picture: Pixels, rng: np.random.Generator) -> Pixels:
        """Add an emoji, 0.1 to 0.8 of the height, at least half opaque."""
        height, width = picture.shape[:2]
        chosen = self.stickers[int(rng.integers(len(self.stickers)))]
        side = max(
            4,
            int(height * (rng.uniform(0.4, 0.8) if rng.random() < 0.7 else rng.uniform(0.1, 0.4))),
        )
        sized = cv2.resize(chosen, (side, side), interpolation=cv2.INTER_LINEAR)
        alpha = sized[:, :, 3:].astype(np.float32) * np.float32(rng.uniform(0.5, 1) / 255)
        place = int(rng.uniform(0, 0.8) * width), int(rng.uniform(0, 0.8) * height)
        return _blend(picture, sized[:, :, :3], alpha, place)

    def text(self, picture: Pixels, rng: np.random.Generator) -> Pixels:
        """Add letters of any script and colour, 0.1 to 0.3 of the shorter side high."""
        height, width = picture.shape[:2]
        chosen = self.lettering[int(rng.integers(len(self.lettering)))]
        place = int(rng.uniform(0, 0.6) * width), int(rng.uniform(0, 0.6) * height)
        size = rng.uniform(0.1, 0.3) * min(height, width)
        return _write(picture, chosen, size, place, rng.integers(256, size=3))

    def meme(self, picture: Pixels, rng: np.random.Generator) -> Pixels:
        """Add a band with words above the picture, below it, or both."""
        height, width = picture.shape[:2]
        white = rng.random() < 0.8
        paper, ink = (255, 0) if white else (0, 255)
        for side in ((0,), (0,), (1,), (0, 1))[int(rng.integers(4))]:
            band = int(rng.uniform(0.15, 0.65) * height)
            made = np.full((band, width, 3), paper, np.uint8)
            line = self.words[int(rng.integers(len(self.words)))]
            size = min(0.7 * band, 1.2 * width * line.shape[0] / line.shape[1])
            across = int(size * line.shape[1] / line.shape[0])
            place = max(0, (width - across) // 2), max(0, int((band - size) / 2))
            made = _write(made, line, size, place, np.full(3, ink))
            parts = [made, picture] if side == 0 else [picture, made]
            picture = np.concatenate(parts)
        return picture

    def caption(self, picture: Pixels, rng: np.random.Generator) -> Pixels:
        """Add words on the picture, often on a bar that dims it."""
        height, width = picture.shape[:2]
        line = self.words[int(rng.integers(len(self.words)))]
        size = rng.uniform(0.06, 0.18) * height
        size = min(size, width * line.shape[0] / line.shape[1])
        across = int(size * line.shape[1] / line.shape[0])
        top = int(rng.uniform(0, max(height - size, 1)))
        place = int(rng.uniform(0, max(width - across, 1))), top
        ink = np.full(3, 255 if rng.random() < 0.7 else 0)
        if rng.random() < 0.5:
            picture = picture.copy()
            bar = picture[top : top + int(1.3 * size)]
            bar[:] = (bar * np.float32(rng.uniform(0, 0.7))).astype(np.uint8)
        return _write(picture, line, size, place, ink)

    def screenshot(self, picture: Pixels, rng: np.random.Generator) -> Pixels:
        """Put the picture on a screen, cropped to its place or fitted into it."""
        height, width = picture.shape[:2]
        screen, (left, upper, right, lower) = self.screens[int(rng.integers(len(self.screens)))]
        across, down = right - left, lower - upper
        edited = screen.copy()
        if rng.random() < 0.7:
            factor = max(across / width, down / height)
            sized = cv2.resize(
                picture, (max(across, round(width * factor)), max(down, round(height * factor)))
            )
            x, y = (sized.shape[1] - across) // 2, (sized.shape[0] - down) // 2
            edited[upper:lower, left:right] = sized[y : y + down, x : x + across]
            return edited
        factor = min(across / width, down / height)
        sized = cv2.resize(picture, (max(4, int(width * factor)), max(4, int(height * factor))))
        edited[upper:lower, left:right] = 0
        h, w = sized.shape[:2]
        x, y = left + (across - w) // 2, upper + (down - h) // 2
        edited[y : y + h, x : x + w] = sized
        return edited


def _blend(
    picture: Pixels, over: Pixels, alpha: NDArray[np.float32], place: tuple[int, int]
) -> Pixels:
    height, width = picture.shape[:2]
    x, y = place
    h, w = min(over.shape[0], height - y), min(over.shape[1], width - x)
    if h <= 0 or w <= 0:
        return picture
    edited = picture.copy()
    part = edited[y : y + h, x : x + w]
    cover = alpha[:h, :w]
    part[:] = (part * (1 - cover) + over[:h, :w] * cover).astype(np.uint8)
    return edited


def _write(
    picture: Pixels,
    line: NDArray[np.uint8],
    size: float,
    place: tuple[int, int],
    ink: NDArray[np.integer],
) -> Pixels:
    tall = max(4, int(size))
    across = max(4, int(size * line.shape[1] / line.shape[0]))
    sized = cv2.resize(line, (across, tall), interpolation=cv2.INTER_AREA)
    alpha = sized[:, :, None].astype(np.float32) / 255
    over = np.broadcast_to(ink.astype(np.uint8), (*sized.shape, 3))
    return _blend(picture, over, alpha, place)


@cache
def load_overlays(seed: int = 0) -> Overlays:
    """Read AugLy's emoji, fonts and screens, and draw further screens.

    Without AugLy (the extra ``train``) all overlays are simple drawn ones.
    """
    rng = np.random.default_rng(seed)
    screens = [_drawn_screen(rng) for _ in range(40)]
    if not random_available():
        fonts = [ImageFont.load_default(40)]
        lines = tuple(_line(_phrase(rng), fonts[0]) for _ in range(50))
        stickers = tuple(_drawn_sticker(rng) for _ in range(50))
        return Overlays(stickers, lines, lines, tuple(screens))
    stickers = tuple(_emoji(path) for path in emoji_files())
    for name in ("mobile.png", "web.png"):
        screens.extend([_shrunk(name)] * 30)  # more often than a drawn one
    lettering, words = [], []
    files = font_files()
    while len(lettering) < _LINES:
        path = files[int(rng.integers(len(files)))]
        font = ImageFont.truetype(str(path), 40, layout_engine=ImageFont.Layout.BASIC)
        alphabet = characters(path)
        count = int(rng.integers(5, 16))
        drawn = "".join(chr(alphabet[int(i)]) for i in rng.integers(len(alphabet), size=count))
        lettering.append(_line(drawn, font))
        if len(words) < _LINES // 4:
            words.append(_line(_phrase(rng), ImageFont.load_default(40)))
    visible = tuple(line for line in lettering if line.any())
    return Overlays(stickers, visible, tuple(words), tuple(screens))


def _emoji(path: object) -> NDArray[np.uint8]:
    with Image.open(path) as image:  # type: ignore[arg-type]
        return np.asarray(image.convert("RGBA").resize((_EMOJI_SIDE, _EMOJI_SIDE)))


def _drawn_sticker(rng: np.random.Generator) -> NDArray[np.uint8]:
    image = Image.new("RGBA", (_EMOJI_SIDE, _EMOJI_SIDE))
    draw = ImageDraw.Draw(image)
    draw.ellipse((2, 2, 69, 69), fill=(*rng.integers(256, size=3).tolist(), 255))
    for _ in range(3):
        x, y = rng.integers(10, 50, size=2).tolist()
        draw.ellipse((x, y, x + 12, y + 12), fill=(*rng.integers(256, size=3).tolist(), 255))
    return np.asarray(image)


def _phrase(rng: np.random.Generator) -> str:
    if rng.random() < 0.2:
        return "LOL"
    words = [_WORDS[int(i)] for i in rng.integers(len(_WORDS), size=int(rng.integers(1, 6)))]
    return " ".join(words).upper() if rng.random() < 0.5 else " ".join(words).capitalize()


def _line(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> NDArray[np.uint8]:
    left, upper, right, lower = (round(edge) for edge in font.getbbox(text))
    image = Image.new("L", (max(8, min(right - left, 900)), max(8, min(lower - upper, 90))))
    ImageDraw.Draw(image).text((-left, -upper), text, fill=255, font=font)
    return np.asarray(image)


def _shrunk(name: str) -> tuple[Pixels, tuple[int, int, int, int]]:
    """Return one of AugLy's screens, shrunk to about the size of the pictures."""
    image, box = template(name)
    factor = 400 / max(image.size)
    size = round(image.width * factor), round(image.height * factor)
    left, upper, right, lower = (round(edge * factor) for edge in box)
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS)), (left, upper, right, lower)


def _drawn_screen(rng: np.random.Generator) -> tuple[Pixels, tuple[int, int, int, int]]:
    """Draw a page with bars, buttons, lines of text, and a place for a picture."""
    width, height = (int(v) for v in rng.integers(180, 420, size=2))
    dark = rng.random() < 0.4
    paper = int(rng.integers(0, 60) if dark else rng.integers(225, 256))
    ink = int(rng.integers(150, 255) if dark else rng.integers(0, 120))
    image = Image.new("RGB", (width, height), (paper, paper, paper))
    draw = ImageDraw.Draw(image)
    across, down = rng.uniform(0.5, 1, size=2) * (width, 0.75 * height)
    left, upper = (
        int(rng.uniform(0, width - across)),
        int(rng.uniform(0.05 * height, height - down)),
    )
    box = (left, upper, left + int(across), upper + int(down))
    draw.rectangle(
        (0, 0, width, int(0.06 * height)), fill=tuple(rng.integers(256, size=3).tolist())
    )
    y = int(0.08 * height)
    while y < height - 6:
        x = 8
        while x < width - 20:
            w = int(rng.integers(6, 40))
            if rng.random() < 0.8:
                draw.rectangle((x, y, min(x + w, width - 8), y + 3), fill=(ink, ink, ink))
            x += w + 4
        y += int(rng.integers(8, 16))
    for _ in range(int(rng.integers(0, 5))):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        draw.ellipse((x, y, x + 14, y + 14), fill=tuple(rng.integers(256, size=3).tolist()))
    return np.asarray(image), box
