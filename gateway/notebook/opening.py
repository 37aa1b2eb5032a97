"""A link that opens a notebook with a thing of the store: `…/gateway/open?ref=DATASET/NAME`.

Jupyter loads this by the file of its own that is installed with the package.
"""

from typing import Any
from urllib.parse import quote

import tornado.web
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import ensure_async, url_path_join

from gateway.errors import RefError
from gateway.volumes.ref import Ref, parse_ref

PATH = "gateway/open"


def notebook_of(ref: Ref) -> dict[str, Any]:
    """Return a notebook that opens a thing and shows it."""
    cells = (
        ("markdown", f"# {ref}\n\nOpened by its name: nothing was copied."),
        ("code", f'import gateway.notebook as nb\n\nthing = nb.open("{ref}")\nthing'),
        ("code", f'nb.view("{ref}")'),
    )
    extra: dict[str, Any] = {"execution_count": None, "outputs": []}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "cells": [
            {"id": f"cell-{number}", "cell_type": kind, "metadata": {}, "source": source}
            | (extra if kind == "code" else {})
            for number, (kind, source) in enumerate(cells)
        ],
    }


class OpenHandler(JupyterHandler):
    """Makes the notebook of a thing, where there is none yet, and goes there."""

    @tornado.web.authenticated
    async def get(self) -> None:
        """Answer the link."""
        try:
            ref = parse_ref(self.get_query_argument("ref", ""))
        except RefError as error:
            raise tornado.web.HTTPError(400, reason=str(error).replace("\n", " ")) from error
        name = f"{ref.dataset} {ref.name}.ipynb"
        contents: Any = self.contents_manager
        if not await ensure_async(contents.file_exists(name)):
            model = {"type": "notebook", "format": "json", "content": notebook_of(ref)}
            await ensure_async(contents.save(model, name))
        self.redirect(url_path_join(self.base_url, "lab/tree", quote(name)))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "gateway.notebook.opening"}]


def _load_jupyter_server_extension(server: Any) -> None:
    base = server.web_app.settings["base_url"]
    server.web_app.add_handlers(".*$", [(url_path_join(base, PATH), OpenHandler)])
