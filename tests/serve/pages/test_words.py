"""What pages say, and what they tell browsers to refuse; no browser needed."""

import pytest

from homing.serve.pages.assets import load_assets
from homing.serve.pages.rendering import renderer
from homing.serve.pages.views import Card, Site
from homing.serve.pages.words import bytes_told, duration_told, found_view, hit_card, latency_rows

HIT = {"id": "a.jpg", "similarity": 0.91234, "view": "mirrored", "state": "released"}
SITE = Site("agency", (("/", "Search"),), may_read=True, signed_in=False)


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 kB"), (2**20, "1.0 MB"), (2**44, "16 TB")],
)
def test_bytes_are_told_in_their_unit(count: int, told: str) -> None:
    assert bytes_told(count) == told


def test_a_hit_says_how_it_was_found_only_if_it_is_a_copy() -> None:
    assert hit_card(HIT) == Card("a.jpg", "0.912")
    assert hit_card(HIT | {"is_copy": False}).told == "0.912 · no sure copy"
    assert hit_card(HIT | {"is_copy": True}).told == "0.912 · a copy · mirrored"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(59.4, "59 s"), (61, "1 min 1 s"), (7260, "2 h 1 min"), (90000, "1 d 1 h")],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, told: str) -> None:
    assert duration_told(seconds) == told


def test_times_of_answers_are_told_by_route() -> None:
    figures = {"latency": {"/search": {"count": 1234, "p50": 0.0412, "p95": 1.26}}}
    assert latency_rows(figures) == (("/search", "1,234", "41 ms", "1.3 s"),)


@pytest.mark.parametrize(
    ("entry", "others"), [("a.jpg", ["b.jpg"]), ("gone.jpg", ["a.jpg", "b.jpg"])]
)
def test_the_entry_that_is_shown_is_not_among_the_others(entry: str, others: list[str]) -> None:
    explained = {
        "query": "q.jpg",
        "verdict": "A copy.",
        "positive": True,
        "hit": {"id": entry},
        "edits": [],
        "facts": {},
        "figures": {"query": "data:,"},
        "reason": None,
    }
    found = found_view(explained, [HIT, HIT | {"id": "b.jpg"}], "http://x/found/1", None)
    assert [card.id for card in found.others] == others
    assert [figure.caption for figure in found.figures] == ["the picture asked about"]


def test_what_others_named_is_shown_as_text() -> None:
    page = renderer()("problem", site=SITE, here="", heading="No", message="<script>x</script>")
    text = page.body.decode()
    assert "&lt;script&gt;x" in text
    assert "<script" not in text


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs_inline() -> None:
    page = renderer()("search", site=SITE, here="/", limit=1, problem=None)
    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    text = page.body.decode() + "".join(a.content.decode() for a in load_assets().values())
    assert "style=" not in text
    addresses = text.replace("http://www.w3.org/2000/svg", "")  # a name, which nothing loads
    assert "//" not in addresses.replace("https://", "http://").replace("// ", "")


def test_every_file_of_the_pages_has_its_kind() -> None:
    assets = load_assets()
    assert {name.rpartition(".")[2]: asset.kind for name, asset in assets.items()} == {
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
    }
    assert len({asset.tag for asset in assets.values()}) == len(assets)
