"""Pages for people: search, browse, publish, status.

They are rendered here from templates; scripts add what needs a browser, and searching works without
them.
"""

from homing.serve.pages import assets, browse, publish, reference, search, status
from homing.serve.pages.layout import failure_page

__all__ = ["ROUTERS", "failure_page"]

ROUTERS = (
    search.router,
    search.deciding,
    browse.router,
    publish.router,
    status.router,
    reference.router,
    status.open_router,
    assets.router,
)
