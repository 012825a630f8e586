"""The page around a report: its templates, its script, and what it allows a browser to do.

A stage's template says `{% extends "page.html.j2" %}`; its environment loads from its own package and then from
`PACKAGE`, and hands `page` (a `Page`) to it.
"""

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources

from components.contracts.report_page.browser import ItemBrowser

PACKAGE = "components.contracts.report_page"
_SCRIPTS = ("theme.js", "item.js", "browser.js")


@dataclass(frozen=True)
class Page:
    """script, data: go into the page as they are, unescaped; data is empty without a browser of items.

    policy: the Content-Security-Policy: nothing is loaded, and no script runs but this one.
    """

    script: str
    policy: str
    data: str
    tabs: tuple[tuple[str, int], ...]


def make_page(browser: ItemBrowser | None = None) -> Page:
    """What a page needs, with the browser's data where it has one; `tabs` are its sets, with their sizes."""
    folder = resources.files(PACKAGE) / "templates"
    parts = [(folder / name).read_text(encoding="utf-8") for name in _SCRIPTS]
    script = '"use strict";\n' + "\n".join(parts)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    sets = browser.sets if browser else []
    return Page(
        script=script,
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'",
        data=browser.as_json() if browser else "",
        tabs=tuple((str(one["title"]), int(str(one["total"]))) for one in sets),
    )
