"""Pages that need nothing besides themselves: style and pictures inline, all text escaped."""

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2
    from PIL import Image


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
    """Load a template of a package; :func:`templates_of` says how it behaves."""
    return templates_of(package, **filters).get_template(name)


def templates_of(package: str, **filters: Any) -> "jinja2.Environment":
    """Make the templates of a package ready.

    Parameters
    ----------
    package : str
        That the templates' files lie in, or in folders of.
    **filters
        What the templates call by these names.

    Returns
    -------
    jinja2.Environment
        Its templates escape all text; a name that they are not given is an error.
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


def inlined(data: bytes, kind: str) -> str:
    """Address of a picture that is the picture itself; `kind` is what follows ``image/``."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def inlined_jpeg(image: "Image.Image", quality: int, **options: Any) -> str:
    """Address of a picture coded as JPEG; `options` as Pillow takes them."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, **options)
    return inlined(buffer.getvalue(), "jpeg")
