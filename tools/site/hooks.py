"""Hooks of MkDocs: each page gets its generated parts and its links to other pages.

A page may have a line ``<!-- made by NAME -->``. It is replaced by what NAME of ``MADE`` returns.
"""

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tools.site import commands, http_api, library, links, objects  # noqa: E402

#: Generated parts of pages, by the name in their mark.
MADE = {
    "commands": commands.as_markdown,
    "http_api": http_api.as_markdown,
    "library": library.as_markdown,
    "objects": objects.as_markdown,
}
_SHIM = re.compile(r"https://unpkg\.com/iframe-worker/shim")
_LOADED = re.compile(r'<(?:script|img|iframe|link)\b[^>]*?(?:src|href)="(?:https?:)?//[^"]*"')
_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):(?=<code>)")
_CELL = re.compile(r"<td\b[^>]*>.*?</td>", re.S)
_MARK = re.compile(r"^<!-- made by (\w+) -->$", re.M)
_GROUP_OF_OTHERS = "Guides"
#: Weight of a folder's pages in the site's search: who searches wants to do something.
_WEIGHTS = {"start": 4, "guides": 4, "measurements": 0.5}
_WEIGHT_OF_MADE = 0.1  # long lists of names


def on_config(config: Any) -> Any:
    """Put pages that stand beside ``index.md`` and are not listed among the guides."""
    folder = Path(config.docs_dir)
    listed = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    others = [p.name for p in sorted(folder.glob("*.md")) if f" {p.name}\n" not in listed]
    for group in config.nav:
        if _GROUP_OF_OTHERS in group:
            group[_GROUP_OF_OTHERS].extend(others)
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the page with its generated parts, and with links where it names other pages."""
    weight = _WEIGHTS.get(page.file.src_uri.partition("/")[0], 1)
    page.meta["search"] = {"boost": _WEIGHT_OF_MADE if _MARK.search(markdown) else weight}
    made = _MARK.sub(lambda mark: MADE[mark[1]](), markdown)
    return links.linked(made, page.file.src_uri)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Return the page with a script of its own for the search; refuse what loads from elsewhere.

    The roles of docstrings go, and the backslashes that bars take in a table, within code too.
    """
    up = "../" * page.file.dest_uri.count("/")
    output = _SHIM.sub(f"{up}search-from-disk.js", output)
    output = _CELL.sub(lambda cell: cell[0].replace("\\|", "|"), _ROLE.sub("", output))
    if found := _LOADED.search(output):
        raise PluginError(f"{page.file.src_uri} loads something from elsewhere: {found[0]}")
    return output


def on_post_template(output_content: str, **_: Any) -> str:
    """Return a page without a source, 404.html, with the same script."""
    return _SHIM.sub("search-from-disk.js", output_content)
