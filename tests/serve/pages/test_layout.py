"""The layout of pages without a browser (pages.layout, pages.assets): escaping, policy."""

from homing.serve.pages.assets import load_assets
from homing.serve.pages.layout import Site, render

SITE = Site("agency", "", (("/", "Search"),), may_read=True, signed_in=False)


def test_names_from_others_are_shown_as_text() -> None:
    page = render("problem", SITE, heading="No", message="<script>x</script>")
    text = page.body.decode()
    assert "&lt;script&gt;x" in text
    assert "<script" not in text


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs_inline() -> None:
    page = render("search", SITE, here="/", limit=1, problem=None)
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
    assert {name.rpartition(".")[2]: asset.media_type for name, asset in assets.items()} == {
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
    }
    assert len({asset.tag for asset in assets.values()}) == len(assets)
