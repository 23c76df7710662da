"""Self-contained HTML pages: style and pictures inline, all text escaped."""

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2
    from PIL import Image


@dataclass(frozen=True)
class Figure:
    """A picture for a page's template."""

    caption: str
    address: str  # URL of the picture, as from `data_url`
    width: int  # pixels
    height: int


def load_template(package: str, name: str, **filters: Any) -> "jinja2.Template":
    """Load one template of a package; see :func:`load_templates`."""
    return load_templates(package, **filters).get_template(name)


def load_templates(package: str, **filters: Any) -> "jinja2.Environment":
    """Load the templates in a package's folder and below, which may call `filters` by name.

    They escape all text; a name that they are not given is an error.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package, "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment


def data_url(data: bytes, kind: str) -> str:
    """Return a URL that contains the picture itself; `kind` is what follows ``image/``."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def jpeg_data_url(image: "Image.Image", quality: int, **options: Any) -> str:
    """Encode a picture as JPEG, with Pillow's `options`, and return its data URL."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, **options)
    return data_url(buffer.getvalue(), "jpeg")
