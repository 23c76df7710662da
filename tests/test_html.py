"""HTML pages: templates that escape, and pictures inside them."""

import base64
import io
import sys

import pytest
from PIL import Image

from homing.html import data_url, jpeg_data_url, load_template, load_templates


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that contains a template."""
    folder = tmp_path / "homing_test_templates"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "page.j2").write_text("<p>{{ text|loud }}</p>")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder.name
    sys.modules.pop(folder.name, None)


def test_text_is_escaped_and_filters_are_called(package):
    template = load_template(package, "page.j2", loud=str.upper)
    assert template.render(text="a<b") == "<p>A&lt;B</p>"


def test_a_name_without_a_value_is_an_error(package):
    jinja2 = pytest.importorskip("jinja2")
    template = load_templates(package, loud=str).get_template("page.j2")
    with pytest.raises(jinja2.UndefinedError):
        template.render()


def test_pictures_stand_in_their_address():
    assert data_url(b"<svg/>", "svg+xml") == "data:image/svg+xml;base64,PHN2Zy8+"
    url = jpeg_data_url(Image.new("RGB", (5, 3), "red"), 90)
    head, _, data = url.partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert (image.format, image.size) == ("JPEG", (5, 3))
