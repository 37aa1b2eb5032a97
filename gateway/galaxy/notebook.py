"""Galaxy in a notebook: what a history names is opened here, and calls become workflows there.

    import gateway.galaxy.notebook as galaxy

    galaxy.use("https://brains.example.org/services/galaxy", key)
    brain = galaxy.get("Stitched volume")
    galaxy.workflow("m1/regions", file="measure.gxwf.yml")

The Galaxy is the one of `use`, else that of the variables `GALAXY_URL` and `GALAXY_API_KEY`. The
gateway is, as everywhere, that of `GATEWAY_URL` and `GATEWAY_TOKEN`, else the home of
`GATEWAY_HOME`.
"""

import os
from pathlib import Path

from gateway.client.connect import connect_as_told
from gateway.client.session import Points, Session
from gateway.errors import CallError
from gateway.galaxy.client import GalaxyClient
from gateway.galaxy.remote import client_elsewhere
from gateway.galaxy.volref import Volref
from gateway.galaxy.weave import weave
from gateway.service.toolbox import list_tools
from gateway.toolkit.call import Call
from gateway.volumes.volume import Volume

URL_VARIABLE = "GALAXY_URL"
_SUFFIX = ".gxwf.yml"
_chosen: list[GalaxyClient] = []


def use(url: str | None, key: str | None = None) -> None:
    """Choose the Galaxy for this notebook.

    Args:
        url: Its address; None goes back to what the environment says.
        key: Your API key there; None takes that of the variable `GALAXY_API_KEY`.
    """
    _chosen[:] = []
    if url is not None:
        _chosen.append(GalaxyClient(url, key) if key is not None else client_elsewhere(url))


def find(item: str | int, history: str | None = None) -> Volref:
    """Return what an item of a history names.

    Args:
        item: Its number in the history, its name, or its id.
        history: Name of the history; None takes the one used last.

    Raises:
        NotFoundError: There is no such item; says which there are.
        FormatError: It is no volref.
    """
    client = _client()
    return client.fetch(client.find_dataset(item, history))


def get(
    item: str | int, history: str | None = None, *, session: Session | None = None
) -> Volume | Points:
    """Open what an item of a history names: a lazy volume, or a table. Nothing is copied.

    Args:
        item: Its number in the history, its name, or its id.
        history: Name of the history; None takes the one used last.
        session: The gateway; None takes the one that the environment names.

    Raises:
        NotFoundError: There is no such item, or nothing of that name that you may see.
    """
    ref = find(item, history).ref
    return (session or connect_as_told(os.environ)).open(ref)


def workflow(
    *results: str,
    file: str | Path,
    title: str = "From a notebook",
    session: Session | None = None,
) -> Path:
    """Write the calls that led to some results as a workflow file of Galaxy.

    Args:
        results: Refs of results of tools, `m1/regions`.
        file: The file to write, `….gxwf.yml`.
        title: What Galaxy shall call it.
        session: The gateway; None takes the one that the environment names.

    Raises:
        NotFoundError: None of your latest calls made a result.
        CallError: A call was of another version of its tool, or the file is not named so.
    """
    path = Path(file)
    if not path.name.endswith(_SUFFIX):
        raise CallError(f"a workflow file is named *{_SUFFIX}, not {path.name!r}")
    jobs = (session or connect_as_told(os.environ)).jobs()
    done = [job.state["call"] for job in jobs if job.status == "done"]
    calls = [Call.from_json(call) for call in reversed(done)]
    text = weave(calls, results, {spec.id: spec for spec in list_tools()}, title)
    path.write_text(text, encoding="utf-8")
    return path


def _client() -> GalaxyClient:
    if not _chosen:
        url = os.environ.get(URL_VARIABLE)
        if not url:
            raise CallError(
                f"no Galaxy is chosen; call use(URL, KEY), or set {URL_VARIABLE} and GALAXY_API_KEY"
            )
        _chosen.append(client_elsewhere(url))
    return _chosen[0]
