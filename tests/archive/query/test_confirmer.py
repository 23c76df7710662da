"""Answers (answers) compared with pictures (confirm); verdicts by rate are in test_calibration."""

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw, ImageOps

import homing
from homing.archive.query.confirm import PANEL


@pytest.fixture
def released(archive, sources, tmp_path):
    archive.release(sources, out=tmp_path / "out")
    return archive


def collage(*pictures: Image.Image) -> Image.Image:
    """Return pictures of 300 pixels side by side on white."""
    made = Image.new("RGB", (320 * len(pictures) + 20, 340), "white")
    for number, picture in enumerate(pictures):
        made.paste(picture.convert("RGB").resize((300, 300)), (320 * number + 20, 20))
    return made


def test_copies_come_first_and_strangers_are_none(released, suspect):
    for source in (suspect, suspect.read_bytes(), Image.open(suspect)):
        hits = released.search(source, k=3)
        assert (hits[0].id, hits[0].verdict, hits[0].is_copy) == ("astronaut.png", "copy", True)
        assert not any(hit.is_copy for hit in hits[1:])
        assert "mirrored" in hits[0].edits
        assert "cropped to 75 % of the picture" in hits[0].edits
        assert hits[0].shown == pytest.approx(0.75, abs=0.02)
        assert hits[0].region == pytest.approx((0, 0, 384, 512), abs=8)
    (result,) = released.search_each([suspect], k=3)
    assert [(hit.id, hit.verdict) for hit in result.hits] == [(hit.id, hit.verdict) for hit in hits]
    stranger = released.search(Image.fromarray(skimage.data.rocket()), k=3)
    assert {hit.verdict for hit in stranger} == {"none"}
    assert not any(hit.is_copy for hit in stranger)


def test_what_is_recorded_stays_with_its_hit_in_any_order(archive, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    image = Image.fromarray(skimage.data.rocket())
    for number in range(14):
        image.crop((20 * number, 0, 20 * number + 200, 400)).save(folder / f"{number}.png")
    archive.add([folder])
    hits = archive.search(Image.fromarray(skimage.data.astronaut()), k=14)
    assert len(hits) == 14
    assert len(hits.recorded) == 10
    for name, recorded in hits.recorded.items():
        assert recorded.file_sha256 == archive.entry(name).file_sha256


def test_the_very_file_is_known_by_its_bytes(released, sources, tmp_path):
    for folder, reason in ((tmp_path / "out", "byte for byte"), (sources, "before its release")):
        for file in sorted(folder.glob("*.png")):
            best = released.search(file)[0]
            assert (best.id, best.verdict, best.is_copy) == (file.name, "file", True)
            assert reason in best.reason


def test_sizes_are_those_of_the_files(archive, tmp_path):
    large = Image.fromarray(skimage.data.astronaut()).resize((2000, 2000))
    large.save(tmp_path / "large.png")
    archive.add([tmp_path / "large.png"])
    (hit,) = archive.search(large.crop((0, 0, 2000, 1000)).resize((1500, 750)), probes=8)
    assert hit.verdict == "copy"
    assert hit.region == pytest.approx((0, 0, 1500, 750), abs=8)
    assert any("resized to 75 %" in edit or "resized to 74 %" in edit for edit in hit.edits)


def test_json_has_all_keys_always(released, suspect):
    compared = released.search(suspect, k=3)
    alone = released.search(suspect, k=3, confirm=False)
    keys = [list(hit.as_dict()) for hit in (*compared, *alone)]
    assert all(each == keys[0] for each in keys)
    assert {"verdict", "shown", "agreeing", "region", "is_copy", "false_alarm_rate"} <= set(keys[0])
    assert all(hit.as_dict()["verdict"] is None for hit in alone)


def test_an_entry_without_a_preview_needs_its_file(create, sources, suspect):
    archive = create("bare", previews=0)
    archive.add(sources)
    hits = archive.search(suspect, k=3)
    assert [(hit.verdict, hit.is_copy) for hit in hits] == [(None, None)] * 3
    assert all("not compared" in hit.reason for hit in hits)
    assert archive.search(suspect, k=3, files=[sources])[0].verdict == "copy"


def test_collages_are_taken_apart(released, sources):
    rocket = Image.fromarray(skimage.data.rocket())
    parts = [Image.open(sources / f"{name}.png") for name in ("coffee", "chelsea")]
    hits = released.search(collage(rocket, *(ImageOps.mirror(part) for part in parts)), k=3)
    copies = {hit.id: hit for hit in hits if hit.is_copy}
    assert set(copies) == {"coffee.png", "chelsea.png"}
    assert copies["coffee.png"].region == pytest.approx((340, 20, 640, 320), abs=12)
    assert copies["chelsea.png"].region == pytest.approx((660, 20, 960, 320), abs=12)
    assert all(hit.covered == pytest.approx(0.27, abs=0.05) for hit in copies.values())


@pytest.mark.parametrize("names", [("coffee", "chelsea"), ("chelsea", "coffee")])
def test_beside_a_copy_the_rest_is_searched(released, sources, names):
    """Without a seam to see, and though one of the two is found in the whole."""
    left, right = (Image.open(sources / f"{name}.png").convert("RGB") for name in names)
    whole = Image.new("RGB", (900, 400))
    whole.paste(left.resize((600, 400)), (0, 0))
    whole.paste(right.resize((300, 200)), (600, 0))
    whole.paste(Image.fromarray(skimage.data.rocket()).resize((300, 200)), (600, 200))
    hits = released.search(whole, k=3)
    assert [hit.id for hit in hits if hit.is_copy] == [f"{name}.png" for name in names]
    assert hits[0].region == pytest.approx((0, 0, 600, 400), abs=24)
    assert hits[1].region == pytest.approx((600, 0, 900, 200), abs=24)


def test_copies_in_a_query_come_as_it_is_read(released, sources):
    names = ["astronaut", "coffee", "chelsea"]
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        wanted = [names[place] for place in order]
        pictures = [Image.open(sources / f"{name}.png").convert("RGB") for name in wanted]
        whole = Image.new("RGB", (640, 640), "white")
        for picture, place in zip(pictures, ((0, 10), (330, 0), (160, 330)), strict=True):
            whole.paste(picture.resize((310, 300)), place)
        hits = released.search(whole, k=3)
        assert [hit.id for hit in hits if hit.is_copy] == [f"{name}.png" for name in wanted]


def test_a_band_of_a_card_is_no_copy_of_another_card(archive, sources):
    def card(name: str) -> Image.Image:
        made = Image.new("RGB", (800, 900), (150, 10, 20))
        made.paste(Image.open(sources / f"{name}.png").convert("RGB").resize((720, 540)), (40, 40))
        draw = ImageDraw.Draw(made)
        for line in range(5):
            words = f"THE DAILY HOMING, EDITION OF THE {line}TH, NEWS AND MORE"
            draw.text((40, 610 + 56 * line), words, "white", font_size=26)
        return made

    archive.add([sources])
    card("chelsea").save(sources / "card.png")
    archive.add([sources / "card.png"])
    hits = archive.search(card("coffee"), k=5)
    assert [hit.id for hit in hits if hit.is_copy] == ["coffee.png"]


def test_panels_have_a_view_of_their_own(released, sources):
    small = Image.open(sources / "coffee.png").convert("RGB").resize((120, 80))
    noise = np.random.default_rng(0).integers(0, 255, (9, 9, 3), np.uint8)
    around = Image.fromarray(noise).resize((900, 900), Image.Resampling.BICUBIC)
    around.paste(small.resize((300, 200)), (560, 650))
    hits = released.search(around, k=2)
    assert (hits[0].id, hits[0].verdict) == ("coffee.png", "copy")
    assert hits[0].view in (PANEL, "upright")


def test_a_query_that_has_gone_costs_no_answer(released, suspect):
    results = released.search_each([suspect], k=3)
    describe = released.descriptor.describe_squashed

    def gone(self, *arguments, **options):
        suspect.write_bytes(b"changed meanwhile")
        return describe(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(homing.Descriptor, "describe_squashed", gone)
        (result,) = results
    assert result.reason is None
    assert [hit.confirmed for hit in result.hits] == [None] * 3
