"""The pages (search, browse, publish, status) in a real browser, with a real service."""

import io
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import homing
from homing.serve.access.keys import KeyRing
from tests.helpers.pages import Running, make_archive, make_pictures, watch
from tests.helpers.service import forget_keys

Window = Callable[..., Any]
PAGES = ("/", "/browse", "/browse/chelsea.png", "/publish", "/status", "/sign-in", "/reference")

DROP = """([bytes, name, kind, target]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], name, {type: "image/jpeg"}));
    const options = {bubbles: true, cancelable: true};
    const event = kind == "paste"
        ? new ClipboardEvent(kind, {...options, clipboardData: transfer})
        : new DragEvent(kind, {...options, dataTransfer: transfer});
    document.querySelector(target).dispatchEvent(event);
}"""

NAMELESS = """
    [...document.querySelectorAll("input:not([type=hidden]), select, button, a")]
    .filter(one => !(one.labels?.length || one.ariaLabel || one.textContent.trim() || one.alt
        || one.getAttribute("aria-labelledby") || one.querySelector("img[alt]:not([alt=''])")))
    .map(one => one.outerHTML)"""
CLIPPED = "one => getComputedStyle(document.querySelector(one)).clipPath"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Iterator[Running]:
    with Running(make_archive(tmp_path_factory.mktemp("served"), pictures)) as service:
        yield service


@pytest.fixture(scope="module")  # while it is open, no other event loop can run in this thread
def chromium() -> Iterator[Any]:
    """A browser. Without one on the machine the tests are skipped."""
    sync_api = pytest.importorskip("playwright.sync_api")
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium in PATH")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found)
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium: Any, served: Running) -> Iterator[Window]:
    """``browse(path)``: a window. Errors of pages and requests elsewhere fail the test."""
    complaints: list[str] = []
    contexts = []

    def open_window(**options: Any) -> Any:
        options = {"viewport": {"width": 1200, "height": 800}} | options
        context = chromium.new_context(base_url=served.address, **options)
        context.set_default_timeout(120_000)  # a busy machine may take long
        contexts.append(context)
        page = context.new_page()
        watch(page, served.address, complaints)
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def key(served: Running) -> Iterator[Callable[[str], str]]:
    """``key(rights)``: a key, which the service requires until the test ends."""
    ring = KeyRing(served.settings.folder)
    yield lambda rights: ring.add("a test", rights)[1]
    forget_keys(served.service)


def brought(page: Any, file: Path, kind: str, target: str = "body") -> None:
    """Drop or paste a file."""
    page.evaluate(DROP, [list(file.read_bytes()), file.name, kind, target])


def focused(page: Any) -> str:
    return page.evaluate("document.activeElement.id")


def comes_to(page: Any, found: str) -> None:
    """Press the tab key, and wait until the focused element `one` meets a condition."""
    page.keyboard.press("Tab")
    page.wait_for_function(f"() => (one => {found})(document.activeElement)")


def loaded(page: Any, pictures: str) -> int:
    """Return how many of some pictures the page has loaded."""
    page.wait_for_function(
        "pictures => [...document.querySelectorAll(pictures)].every(one => one.complete)",
        arg=pictures,
    )
    return page.eval_on_selector_all(pictures, "all => all.filter(one => one.naturalWidth).length")


def test_a_crop_finds_the_released_picture(browse: Window, pictures: Path) -> None:
    page = browse()
    page.goto("/")
    page.set_input_files("#picture", pictures / "crop.jpg")
    page.wait_for_url("**/found/*")
    verdict = page.inner_text("h1")
    assert verdict.startswith("A copy of chelsea.png")
    assert focused(page) == "verdict"  # so that a screen reader says it
    assert verdict in page.title()
    assert loaded(page, ".strip img") == 4  # query, record, one over the other
    assert "cropped" in page.inner_text("main ul")
    page.focus("#divide")
    page.keyboard.press("End")  # the entry's picture appears from under the other
    assert page.evaluate(CLIPPED, ".laid img:last-child") == "inset(0px 0% 0px 0px)"
    assert page.locator(".cards li").count() >= 1
    permalink = page.input_value("#address")
    assert permalink == page.url
    other = browse()  # it shares nothing with the first window
    other.goto(permalink)
    assert other.inner_text("h1") == verdict
    other.click("text=The entry chelsea.png")
    assert other.inner_text("h1") == "chelsea.png"
    assert loaded(other, ".entry img") == 1


@pytest.mark.slow
@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(way: str, browse: Window, pictures: Path) -> None:
    page = browse()
    page.goto("/")
    brought(page, pictures / "crop.jpg", way)
    page.wait_for_url("**/found/*")
    assert page.inner_text(".crumb") == "crop.jpg"


@pytest.mark.slow
def test_search_needs_no_script(browse: Window, pictures: Path) -> None:
    page = browse(java_script_enabled=False)
    page.goto("/")
    page.set_input_files("#picture", pictures / "notes.jpg")
    page.click("text=Search >> visible=true >> nth=-1")
    assert page.inner_text("[role=alert]").startswith("notes.jpg: ")
    page.set_input_files("#picture", pictures / "crop.jpg")
    page.click("form button")
    assert page.inner_text("h1").startswith("A copy of chelsea.png")
    assert page.locator("#copy").is_hidden()  # it would have no effect
    page.goto("/publish")
    assert "needs JavaScript" in page.inner_text(".notice")
    assert page.locator("form").is_hidden()


@pytest.mark.parametrize("script", [False, True])
def test_an_answer_is_decided(script: bool, browse: Window, pictures: Path) -> None:
    page = browse(java_script_enabled=script)
    page.goto("/")
    page.set_input_files("#picture", pictures / "crop.jpg")
    if not script:
        page.click("form button")
    page.wait_for_url("**/found/*")
    for button, words in (("It is not", "No copy"), ("It is a copy", "A copy")):
        page.click(f"text={button}")
        assert f"{words}, as decided by local on 2" in page.inner_text("#decision")
    for _ in range(2):
        page.click("text=Undo the decision")
    assert page.locator("#decision").count() == 0


def test_what_cannot_be_searched_is_reported(browse: Window, pictures: Path) -> None:
    page = browse()
    page.goto("/")
    page.set_input_files("#picture", pictures / "notes.jpg")
    page.wait_for_selector("#said.bad")
    assert page.inner_text("#said").startswith("Not a picture of a kind")
    assert page.get_attribute("#said", "role") == "status"
    page.set_input_files("#picture", pictures / "large.png")
    page.wait_for_selector("#said:has-text('at most')")
    assert "large.png has 1.4 MB; at most 1.0 MB are taken." in page.inner_text("#said")
    page.set_input_files("#picture", pictures / "crop.jpg")  # and it goes on
    page.wait_for_url("**/found/*")


def test_pictures_are_released_by_upload(browse: Window, pictures: Path, served: Running) -> None:
    page = browse()
    page.goto("/publish")
    page.select_option("#method", "paper")  # the fastest method
    page.set_input_files("#pictures", [pictures / "small.jpg", pictures / "notes.jpg"])
    page.wait_for_selector("#views:visible")
    assert loaded(page, ".pane img") == 3  # before, after, difference
    told = re.fullmatch(
        r"small.jpg: (\d\d\.\d) dB, SSIMULACRA2 (\d\d\.\d) of 100", page.inner_text("#previewed")
    )
    assert told
    assert float(told[1]) >= 42
    natural = page.evaluate(
        "(i => [i.clientWidth, i.naturalWidth])(document.getElementById('after'))"
    )
    assert natural == [256, 256]  # at 100 %
    page.fill("#prefix", "spring")
    page.click("#release")
    page.wait_for_selector("#outcome:visible")
    assert page.inner_text("#run-title") == "1 released, 1 failed."
    assert focused(page) == "run-title"
    assert "notes.jpg" in page.inner_text("tr:has(.bad)")
    with page.expect_download() as download:
        page.click("#zip")
    with zipfile.ZipFile(download.value.path()) as files:
        (name,) = files.namelist()
        released = files.read(name)
    assert Path(name).name == "small.jpg"
    with Image.open(io.BytesIO(released)) as image:
        assert (image.format, image.size) == ("JPEG", (256, 171))
    row = homing.open(served.settings.archive).entry("spring/small.jpg")
    assert row.state == "released"
    page.reload()  # the address has the run
    page.wait_for_selector("#outcome:visible")
    page.click("#rows a")
    assert page.inner_text("h1") == "spring/small.jpg"


def test_too_large_an_upload_is_reported(browse: Window, pictures: Path) -> None:
    page = browse()
    page.goto("/publish")
    page.click("#release")
    assert page.inner_text("#problem") == "Choose pictures first."
    page.set_input_files("#pictures", pictures / "large.png")
    assert "at most 1.0 MB" in page.inner_text("#problem")
    assert page.locator("#chosen li").count() == 0


def test_pages_ask_for_a_key(browse: Window, key: Callable[[str], str], pictures: Path) -> None:
    page = browse()
    page.goto("/")
    secret = key("read")
    page.set_input_files("#picture", pictures / "crop.jpg")  # the page was there before the key
    page.wait_for_selector("#said.bad")
    assert "key" in page.inner_text("#said")
    page.goto("/browse")
    assert page.inner_text("h1") == "Sign in"
    page.fill("#key", "homing_wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#problem")
    assert focused(page) == "key"
    page.fill("#key", secret)
    page.keyboard.press("Enter")
    page.wait_for_selector(".cards")
    assert page.url.endswith("/browse")  # the page that was requested
    assert page.locator("nav >> text=Publish").count() == 0
    assert page.goto("/publish").status == 403
    assert page.inner_text("h1") == "This is not allowed"
    page.click("text=Sign out")
    assert page.inner_text("h1") == "Sign in"
    page.goto("/browse")
    assert page.inner_text("h1") == "Sign in"


@pytest.mark.slow
def test_the_archive_is_filtered_and_paged(browse: Window) -> None:
    page = browse()
    page.goto("/browse")
    assert page.locator(".cards li").count() == 40
    first = page.inner_text(".cards li >> nth=0 >> .name")
    page.click("text=Next page")
    assert page.inner_text(".cards li >> nth=0 >> .name") > first
    assert page.locator("text=Next page").count() == 0
    page.click("text=First page")
    assert page.inner_text(".cards li >> nth=0 >> .name") == first
    page.fill("#prefix", "ch")
    page.keyboard.press("Enter")
    page.wait_for_url("**prefix=ch**")
    assert page.locator(".card .name").all_inner_texts() == ["chelsea.png"]
    assert loaded(page, ".card img") == 1
    page.select_option("#state", "added")
    page.click("text=Filter")
    page.wait_for_selector(".notice")
    assert page.inner_text(".notice") == "There is no entry that matches."


@pytest.mark.slow
def test_small_pictures_are_not_sent_twice(browse: Window) -> None:
    page = browse()
    page.goto("/browse?prefix=chelsea")
    assert loaded(page, ".card img") == 1
    with page.expect_response("**/thumbnails/**") as second:
        page.reload()
    assert second.value.status == 304
    assert loaded(page, ".card img") == 1


@pytest.mark.slow
def test_the_keyboard_alone_will_do(browse: Window, pictures: Path) -> None:
    page = browse()
    page.goto("/")
    comes_to(page, "one.textContent == 'Skip to the content'")
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.hash")  # a browser navigates with a delay
    comes_to(page, "one.id == 'picture'")
    with page.expect_file_chooser() as chooser:
        page.evaluate("0")  # set after the browser knows that a chooser is expected
        page.keyboard.press("Space")
    chooser.value.set_files(pictures / "crop.jpg")
    page.wait_for_url("**/found/*")
    page.wait_for_function("() => document.activeElement.id == 'verdict'")
    comes_to(page, "one.id == 'divide'")
    for name in ("It is a copy", "It is not", "The entry chelsea.png"):
        comes_to(page, f"one.textContent == '{name}'")
    page.keyboard.press("Enter")
    page.wait_for_url("**/browse/chelsea.png")


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1200])
def test_no_page_is_wider_than_its_window(width: int, browse: Window, pictures: Path) -> None:
    page = browse(viewport={"width": width, "height": 800})
    page.goto("/")
    page.set_input_files("#picture", pictures / "crop.jpg")
    page.wait_for_url("**/found/*")
    for address in (page.url, *PAGES):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address


@pytest.mark.slow
def test_every_field_has_a_name(browse: Window) -> None:
    page = browse()
    for address in PAGES:
        page.goto(address)
        nameless = page.evaluate(NAMELESS)
        assert nameless == [], address
        assert page.locator("h1").count() == 1, address
        assert page.locator("main").count() == 1, address


@pytest.mark.slow
def test_pages_are_dark_where_that_is_wanted(browse: Window) -> None:
    def brightness(scheme: str) -> float:
        page = browse(color_scheme=scheme)
        page.goto("/")
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour[4:-1].split(",")) / 3

    assert brightness("dark") < 60 < 200 < brightness("light")


@pytest.mark.slow
def test_the_state_of_the_service_is_shown(browse: Window) -> None:
    page = browse()
    page.goto("/status")
    assert page.inner_text("h1") == "The service is well."
    facts = dict(
        zip(page.locator("dt").all_inner_texts(), page.locator("dd").all_inner_texts(), strict=True)
    )
    assert int(facts["entries"]) >= 66
    assert facts["codebook"].startswith("IVF")


@pytest.mark.slow
def test_missing_things_are_reported_on_a_page(browse: Window) -> None:
    page = browse()
    for address in ("/browse/no/such.jpg", "/found/abcdefghijklmnopqrstuv", "/nowhere"):
        assert page.goto(address).status == 404
        assert page.inner_text("h1") == "There is no such thing here"
    assert page.goto("/browse?state=odd").status == 422
    assert page.inner_text("h1") == "This could not be done"
    assert page.inner_text(".lead").startswith("State: ")
