"""Page and report of the demonstration: complete, self-contained, escaped, correct figures."""

import base64
import io
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from homing.demo.page import render_page
from homing.demo.report import DemoReport, EditRow, Example


def plain(colour, size=(64, 48)):
    return Image.new("RGB", size, colour)


def example(**changes):
    first = Example(
        title="boats.jpg",
        original=plain((200, 10, 10)),
        released=plain((10, 200, 10)),
        difference=plain((128, 128, 128)),
        edited=plain((10, 10, 200), (1200, 900)),
        edit="rotation 25",
        active_hit="boats.jpg",
        active_similarity=0.914,
        passive_hit=None,
        psnr=43.21,
    )
    return replace(first, **changes)


def report(**changes):
    first = DemoReport(
        pictures=40,
        background=12345,
        descriptor="homing-s",
        codebook="IVF256,PQ8x8",
        probes=1,
        rows=(EditRow("identity", 1.0, 1.0), EditRow("meme", 0.125, 0.875)),
        examples=(example(),),
        psnr_mean=43.4,
        psnr_least=42.04,
        seconds_release=20.0,
        seconds_total=95.0,
        notes=("Background pictures are generated.",),
    )
    return replace(first, **changes)


class Reader(HTMLParser):
    """Collects text, tags and attributes; complains of tags closed out of order."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "hr"})

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == [], "every tag is closed"
    return reader, re.sub(r"\s+", " ", " ".join(reader.text))


def test_mean_is_over_the_papers_edits_only():
    rows = (*report().rows, EditRow("screenshot", 0.0, 0.0), EditRow("of mine", 0.0, 0.0))
    assert report(rows=rows).mean == EditRow("mean", 0.5625, 0.9375)
    assert math.isnan(report(rows=()).mean.active)


def test_the_figures_are_on_the_page():
    _, text = read(render_page(report()))
    for piece in (
        "56 %",
        "94 %",
        "40 pictures were changed",
        "43.4 dB on average, never below 42.0 dB",
        "12,345 others",
        "12,385",
        "edited in 2 ways",
        "visiting 1 cell of the index",
        "homing-s",
        "IVF256,PQ8x8",
        "500 ms each",
        "95 s",
        "over 2 of the fourteen",
        "Background pictures are generated.",
        "boats.jpg",
        "rotation 25",
        "released, 43.2 dB",
    ):
        assert piece in text, piece


def test_every_row_has_its_bars():
    reader, text = read(render_page(report()))
    shares = [attrs["style"] for tag, attrs in reader.tags if tag == "i"]
    assert shares == [
        f"--share: {share}%" for share in ("100.0", "100.0", "12.5", "87.5", "56.2", "93.8")
    ]
    assert "12 % 88 %" in text


def test_nothing_is_loaded_and_no_script_runs():
    page = render_page(report())
    reader, _ = read(page)
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in reader.tags}
    assert "http:" not in page
    assert "https:" not in page
    assert "url(" not in page
    assert "@import" not in page
    sources = [attrs["src"] for tag, attrs in reader.tags if tag == "img"]
    assert len(sources) == 4
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert all(name[:2] != "on" for _, attrs in reader.tags for name in attrs)


def test_the_pictures_are_the_four_in_order_and_described():
    reader, _ = read(render_page(report()))
    images = [attrs for tag, attrs in reader.tags if tag == "img"]
    colours = [(200, 10, 10), (10, 200, 10), (128, 128, 128), (10, 10, 200)]
    for attrs, colour in zip(images, colours, strict=True):
        with Image.open(io.BytesIO(base64.b64decode(attrs["src"].split(",")[1]))) as shown:
            assert np.abs(np.asarray(shown).astype(int) - colour).max() < 8
            assert (str(shown.width), str(shown.height)) == (attrs["width"], attrs["height"])
            assert max(shown.size) <= 480
        assert attrs["alt"].startswith("boats.jpg")


def test_text_of_the_report_is_escaped():
    nasty = "<script>alert('x')</script>\"&"
    page = render_page(
        report(
            descriptor=nasty,
            codebook=nasty,
            rows=(EditRow(nasty, 0.1, 0.2),),
            examples=(example(title=nasty, edit=nasty, passive_hit=nasty + "2"),),
            notes=(nasty,),
        )
    )
    reader, text = read(page)
    assert "script" not in {tag for tag, _ in reader.tags}
    assert text.count(nasty) >= 6
    assert any(attrs.get("alt", "").startswith(nasty) for _, attrs in reader.tags)


@pytest.mark.parametrize(
    ("hit", "similarity", "expected"),
    [
        ("boats.jpg", 0.914, "found first, similarity 0.91"),
        ("boats.jpg", None, "found first"),
        ("other.png", 0.5, "not found; first came other.png"),
        (None, None, "nothing found"),
    ],
)
def test_outcomes_say_what_came_first(hit, similarity, expected):
    shown = example(active_hit=hit, active_similarity=similarity)
    reader, text = read(render_page(report(examples=(shown,))))
    assert f"activated: {expected}" in re.sub(r" +:", ":", text)
    kinds = [attrs.get("class") for tag, attrs in reader.tags if tag == "li"]
    assert kinds[1] == ("found" if hit == "boats.jpg" else "lost")


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.999, "99 %"), (1.0, "100 %"), (0.001, "1 %"), (0.0, "0 %"), (math.nan, "\N{EN DASH}")],
)
def test_all_and_none_are_never_said_of_nearly(share, expected):
    _, text = read(render_page(report(rows=(EditRow("of mine", share, share),))))
    assert f"of mine {expected} {expected}" in text


@pytest.mark.parametrize(
    ("passive", "active", "headline"),
    [(0.5, 0.9, "come home"), (0.5, 0.501, "no difference"), (0.9, 0.5, "did harm")],
)
def test_the_headline_does_not_flatter(passive, active, headline):
    _, text = read(render_page(report(rows=(EditRow("meme", passive, active),))))
    assert headline in text


def test_an_empty_report_and_infinite_psnr_still_make_a_page():
    page = render_page(
        report(
            rows=(),
            examples=(example(psnr=math.inf, original=Image.new("L", (10, 400), 9)),),
            notes=(),
            pictures=0,
            psnr_mean=math.inf,
        )
    )
    _, text = read(page)
    assert "released, unchanged" in text
    assert "nan" not in text.lower().split()
    assert "Some of them" not in read(render_page(report(examples=())))[1]
