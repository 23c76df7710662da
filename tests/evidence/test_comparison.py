"""Comparison of two pictures: copies, shared parts, other pictures, and those without detail.

These tests also cover evidence/analysis, evidence/blocks, evidence/pixels, evidence/features and
evidence/geometry.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from homing.evidence import ComparableQuery, ComparableRecord, Comparison, analysis, comparison


def picture(name: str) -> Image.Image:
    return Image.fromarray(getattr(skimage.data, name)())


def preview(image: Image.Image) -> Image.Image:
    small = image.copy()
    small.thumbnail((480, 480))
    return small


def compare(record: Image.Image, query: Image.Image) -> Comparison:
    return ComparableQuery(query).compare(ComparableRecord(preview(record)))


def framed(image: Image.Image) -> Image.Image:
    """Return a photograph in a patterned frame, the same each time."""
    pattern = np.random.default_rng(1).integers(0, 255, (60, 60, 3), np.uint8)
    whole = Image.fromarray(pattern).resize((640, 560), Image.Resampling.BICUBIC)
    whole.paste(ImageOps.fit(image, (500, 420)), (70, 70))
    return whole.filter(ImageFilter.GaussianBlur(0.6))


def chart(seed: int) -> Image.Image:
    """Return a chart: one design, bars of its own."""
    whole = Image.new("RGB", (800, 500), "white")
    draw = ImageDraw.Draw(whole)
    draw.text((200, 10), f"Numbers of {7 * seed + 13}", "black", font_size=24)
    draw.line((60, 40, 60, 440), "black", 2)
    draw.line((60, 440, 780, 440), "black", 2)
    for bar, high in enumerate(np.random.default_rng(seed).uniform(40, 380, 9)):
        draw.rectangle((80 + 75 * bar, 440 - high, 130 + 75 * bar, 440), (31, 119, 180))
        draw.text((85 + 75 * bar, 450), f"{int(999 * high)}", "black", font_size=14)
    return whole


def smooth(seed: int) -> Image.Image:
    """Return a smooth grey body with thin arcs, a little different each time."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:600, :500].astype(np.float32)
    levels = 60 + 110 * np.exp(-(((x - 250) / 40) ** 2)) - 30 * np.cos(x / 80) * np.cos(y / 90)
    for arc in range(9):
        away = y - 118 - 45 * arc - random.normal(0, 4) - 20 * ((x - 250) / 200) ** 2
        levels += 22 * np.exp(-((away / 4) ** 2))
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8)).convert("RGB")


EDITS = {
    "thumbnail": lambda image: image.resize((200, 200 * image.height // image.width)),
    "third": lambda image: image.crop(
        (int(0.2 * image.width), int(0.2 * image.height),
         int(0.78 * image.width), int(0.78 * image.height))
    ),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "mirrored": ImageOps.mirror,
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "tilted": lambda image: image.rotate(5, Image.Resampling.BICUBIC),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1.2)),
}  # fmt: skip


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_the_same_picture_is_a_copy_shown_whole(name) -> None:
    found = compare(picture(name), picture(name))
    assert (found.kind, found.confirmed) == ("copy", True)
    assert (found.shown, found.covered) == pytest.approx((1, 1), abs=0.02)
    assert found.blocks_agreeing == found.blocks_compared > 20
    assert found.alignment.agreeing > 50
    width, height = picture(name).size
    assert np.allclose(found.region, (0, 0, width, height), atol=0.03 * width)


@pytest.mark.parametrize("edit", EDITS)
def test_edited_copies_are_copies(edit) -> None:
    for name in ("astronaut", "chelsea", "coffee"):
        found = compare(picture(name), EDITS[edit](picture(name)))
        assert found.kind == "copy", name
        assert found.alignment is not None
        assert found.alignment.mirrored == (edit == "mirrored")


def test_text_over_it_does_not_hide_a_copy() -> None:
    whole = picture("coffee")
    draw = ImageDraw.Draw(whole)
    for y in (10, 340):
        draw.text((60, y), "WORDS OF A MEME", "white", font_size=48)
    assert compare(picture("coffee"), whole).kind == "copy"


def test_the_region_is_where_the_record_lies() -> None:
    screen = Image.new("RGB", (800, 900), (30, 30, 30))
    screen.paste(picture("coffee"), (100, 250))
    found = compare(picture("coffee"), screen)
    assert found.kind == "copy"
    assert np.allclose(found.region, (100, 250, 700, 650), atol=12)
    assert found.covered == pytest.approx(600 * 400 / (800 * 900), abs=0.03)


def test_the_region_of_a_crop_ends_where_another_picture_begins() -> None:
    """The rest of the record would lie over the other one."""
    whole = Image.new("RGB", (600, 400))
    whole.paste(picture("astronaut").resize((400, 400)), (0, 0))
    whole.paste(picture("coffee").resize((400, 400)), (320, 0))
    found = compare(picture("astronaut"), whole)
    assert found.kind == "copy"
    assert np.allclose(found.region, (0, 0, 320, 400), atol=41)


@pytest.mark.parametrize("other", ["coffee", "chelsea", "rocket"])
def test_other_pictures_are_none(other) -> None:
    found = compare(picture("astronaut"), picture(other))
    assert (found.kind, found.confirmed, found.alignment) == ("none", False, None)
    assert (found.shown, found.region) == (0, None)


def test_another_photograph_in_one_frame_shares_a_part() -> None:
    record = framed(picture("astronaut"))
    found = compare(record, framed(picture("coffee")))
    assert (found.kind, found.confirmed) == ("part", False)
    assert found.alignment.agreeing > 20
    assert compare(record, record.resize((400, 350))).kind == "copy"


def test_charts_of_one_design_are_told_apart() -> None:
    charts = [chart(seed) for seed in range(3)]
    for number, each in enumerate(charts):
        small = each.resize((560, 350), Image.Resampling.LANCZOS)
        kinds = [compare(record, small).kind for record in charts]
        assert kinds.pop(number) == "copy"
        assert "copy" not in kinds


def test_smooth_pictures_are_compared_by_their_pixels() -> None:
    bodies = [smooth(seed) for seed in range(3)]
    for number, each in enumerate(bodies):
        cut = each.resize((350, 420)).crop((20, 30, 340, 400))
        kinds = [compare(record, cut).kind for record in bodies]
        assert kinds.pop(number) == "copy"
        assert set(kinds) == {"undecided"}


@pytest.mark.parametrize("levels", [255, 128, 0])
def test_a_blank_picture_is_undecided(levels) -> None:
    blank = Image.new("RGB", (300, 200), (levels,) * 3)
    for record, query in ((blank, blank), (picture("coffee"), blank), (blank, picture("coffee"))):
        found = compare(record, query)
        assert (found.kind, found.confirmed) == ("undecided", None)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (9, 7)])
def test_pictures_of_few_pixels_are_undecided(size) -> None:
    tiny = picture("coffee").resize(size)
    assert compare(tiny, picture("coffee")).kind == "undecided"
    assert compare(picture("coffee"), tiny).kind == "undecided"


def test_mirror_images_give_the_mirrored_result() -> None:
    record, query = picture("coffee"), picture("coffee").crop((60, 40, 480, 360))
    plain, mirrored = compare(record, query), compare(record, ImageOps.mirror(query))
    assert plain.kind == mirrored.kind == "copy"
    assert mirrored.shown == pytest.approx(plain.shown, abs=0.02)
    left, top, right, bottom = plain.region or (0, 0, 0, 0)
    wanted = (query.width - right, top, query.width - left, bottom)
    assert np.allclose(mirrored.region, wanted, atol=6)


def figures(found: Comparison) -> tuple[object, ...]:
    matrix = None if found.alignment is None else found.alignment.matrix.tolist()
    return found.kind, found.blocks_agreeing, found.blocks_compared, found.region, matrix


def test_results_are_the_same_again_and_in_threads() -> None:
    query = picture("coffee").rotate(3).crop((50, 50, 550, 350))
    records = [picture("coffee"), picture("chelsea"), chart(1)] * 3
    first = [figures(compare(record, query)) for record in records]
    with ThreadPoolExecutor(4) as threads:
        again = list(threads.map(lambda record: figures(compare(record, query)), records))
    assert first == again


@pytest.fixture
def looks(monkeypatch) -> dict[str, list[tuple[int, int]]]:
    """Return the sizes at which features are detected, quickly and slowly, as they are."""
    sizes: dict[str, list[tuple[int, int]]] = {"detect_quickly": [], "detect": []}

    def count(module, name: str) -> None:
        detect = getattr(module, name)
        monkeypatch.setattr(
            module,
            name,
            lambda pixels, most: sizes[name].append(pixels.shape) or detect(pixels, most),
        )

    count(analysis, "detect")
    count(analysis, "detect_quickly")
    count(comparison, "detect_quickly")
    return sizes


def test_a_query_is_analysed_once_for_many_records(looks) -> None:
    query = ComparableQuery(picture("astronaut"))
    records = [ComparableRecord(picture(name)) for name in ("coffee", "chelsea", "astronaut")]
    assert [query.compare(record).kind for record in records] == ["none", "none", "copy"]
    assert looks["detect_quickly"].count((320, 320)) == 3  # both ways, and its own record
    assert len(looks["detect_quickly"]) == 5


def test_a_first_look_settles_photographs(looks) -> None:
    photo = picture("astronaut")
    for name, edit in EDITS.items():
        assert compare(photo, edit(photo)).kind == "copy", name
    slow = len(looks["detect"])
    assert slow <= len(EDITS)  # most take no closer look, which takes two
    for other in ("coffee", "rocket"):
        assert compare(photo, picture(other)).kind == "none"
    assert len(looks["detect"]) == slow


def test_what_is_smooth_is_looked_at_closely(looks) -> None:
    compare(smooth(0), smooth(1))
    assert looks["detect_quickly"] == []
    assert looks["detect"]


@pytest.mark.slow
def test_photographs_are_told_apart() -> None:
    folder = Path(os.environ.get("HOMING_PHOTOS", ""))
    files = sorted(folder.glob("dev/*.jpg"))[:40]
    if not files:
        pytest.skip("HOMING_PHOTOS names no folder of photographs")
    photos = [Image.open(file).convert("RGB") for file in files]
    records = [ComparableRecord(preview(photo)) for photo in photos]
    kinds = []
    for number, photo in enumerate(photos):
        query = ComparableQuery(EDITS["third"](photo))
        kinds.append(query.compare(records[number]).kind)
        assert query.compare(records[number - 1]).kind in ("none", "undecided")
    assert kinds.count("copy") >= 0.9 * len(kinds)
    assert "part" not in kinds
