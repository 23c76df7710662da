"""Pages that need nothing besides themselves: style and pictures inline, all text escaped."""

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2
    from PIL import Image

__all__ = ["Figure", "inlined", "inlined_jpeg", "template_of"]


@dataclass(frozen=True)
class Figure:
    """A picture as a page's template is given it.

    Attributes
    ----------
    caption : str
    address : str
        Of the picture: as :func:`inlined` makes it.
    width, height : int
        Pixels.
    """

    caption: str
    address: str
    width: int
    height: int


def template_of(package: str, name: str, **filters: Any) -> "jinja2.Template":
    """Load a template of a package.

    Parameters
    ----------
    package : str
        That the template's file lies in.
    name : str
        Of the file.
    **filters
        What the template calls by these names.

    Returns
    -------
    jinja2.Template
        Escapes all text; a name that it is not given is an error.
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
    return environment.get_template(name)


def inlined(data: bytes, kind: str) -> str:
    """Address of a picture that is the picture itself; `kind` is what follows ``image/``."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def inlined_jpeg(image: "Image.Image", quality: int, **options: Any) -> str:
    """Address of a picture coded as JPEG; `options` as Pillow takes them."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, **options)
    return inlined(buffer.getvalue(), "jpeg")
