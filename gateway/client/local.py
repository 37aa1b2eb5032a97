"""The gateway of a home of this machine, in this process."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from gateway.client.job import Job
from gateway.client.session import Lent, Points, Session
from gateway.errors import CallError, NotFoundError
from gateway.service.access.actor import Actor, parse_role
from gateway.service.access.links import (
    USUAL_LIFE,
    find_link,
    list_links,
    make_link,
    revoke_link,
)
from gateway.service.access.login import local_administrator
from gateway.service.access.passes import make_pass
from gateway.service.browse.overview import EntryView, Overview, overview, view_entry
from gateway.service.browse.search import FACETS, MOST, Found, Query, search
from gateway.service.calls import call_from_words
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.jobs.follow import describe_job, progress_of
from gateway.service.jobs.job import JobFilter, list_jobs
from gateway.service.jobs.journal import Journal
from gateway.service.jobs.planning import plan_call
from gateway.service.jobs.requests import ask, cancel, own_jobs, resume, see
from gateway.service.review.layers import list_layers
from gateway.service.toolbox import describe_tool, list_tools, summarize_tool
from gateway.toolkit.call import Call
from gateway.volumes.open import open_ref
from gateway.volumes.points import PointsTable
from gateway.volumes.ref import parse_dataset, parse_ref
from gateway.volumes.tiles import TileGrid
from gateway.volumes.volume import Volume


class LocalSession(Session):
    """A gateway home; `gateway.client.session.Session` says what each call does."""

    def __init__(self, home: Path | None = None) -> None:
        """Open the home given, or the one that `GATEWAY_HOME` names."""
        self._gateway = open_gateway(home)
        self.home = self._gateway.home
        self._actor = Actor(person=local_administrator(self._gateway), administrator=True)

    def me(self) -> dict[str, Any]:
        """Say who asks."""
        actor = self._actor
        return {
            "name": actor.name,
            "person": actor.person,
            "groups": sorted(actor.groups),
            "administrator": actor.administrator,
        }

    def datasets(self, words: str = "", **facets: str | Sequence[str]) -> list[dict[str, Any]]:
        """Return the datasets in which all words occur."""
        unknown = sorted(set(facets) - set(FACETS))
        if unknown:
            raise CallError(f"there is no facet {unknown[0]!r}; there are {', '.join(FACETS)}")
        given = {k: (v,) if isinstance(v, str) else tuple(v) for k, v in facets.items()}
        chosen = {facet: given[facet] for facet in FACETS if facet in given}
        found: list[dict[str, Any]] = []
        page, pages = 1, 1
        while page <= pages:
            query = Query(words=words, chosen=chosen, page=page, size=MOST)
            said = search(self._gateway, self._actor, query)
            found += _json(Found, said)["datasets"]
            page, pages = page + 1, said.pages
        return found

    def dataset(self, name: str) -> dict[str, Any]:
        """Return what a dataset holds."""
        parse_dataset(name)
        return _json(Overview, overview(self._gateway, self._actor, name, ""))

    def show(self, ref: str) -> dict[str, Any]:
        """Return all about one thing."""
        return _json(EntryView, view_entry(self._gateway, self._actor, parse_ref(ref)))

    def open(self, ref: str) -> Volume | Points:
        """Open a volume or a table."""
        thing = open_ref(self._gateway.store, parse_ref(ref))
        if isinstance(thing, Volume | PointsTable):
            return thing
        raise CallError(f"{ref} is a {type(thing).__name__}; only volumes and tables are opened")

    def tiles(self, ref: str) -> TileGrid:
        """Open a tile grid."""
        thing = open_ref(self._gateway.store, parse_ref(ref))
        if isinstance(thing, TileGrid):
            return thing
        raise CallError(f"{ref} is a {type(thing).__name__}, not a tile grid")

    def tools(self) -> list[dict[str, Any]]:
        """Return the tools there are."""
        return [summarize_tool(spec) for spec in list_tools()]

    def tool(self, tool: str) -> dict[str, Any]:
        """Return all about a tool."""
        return describe_tool(tool)

    def plan(
        self, tool: str, inputs: Mapping[str, str], outputs: Mapping[str, str], **settings: Any
    ) -> dict[str, Any]:
        """Return what a run would do."""
        call = _call(tool, inputs, outputs, settings)
        return plan_call(self._gateway, self._actor, call, pilot=False)

    def start(
        self, tool: str, inputs: Mapping[str, str], outputs: Mapping[str, str], **settings: Any
    ) -> Job:
        """Start a tool and return at once."""
        made = ask(self._gateway, self._actor, _call(tool, inputs, outputs, settings))
        return Job(_LocalJobs(self._gateway, self._actor), describe_job(self._gateway, made))

    def jobs(self) -> list[Job]:
        """Return one's jobs."""
        jobs = _LocalJobs(self._gateway, self._actor)
        found = list_jobs(self._gateway, own_jobs(self._actor, JobFilter()))
        return [Job(jobs, describe_job(self._gateway, job)) for job in found]

    def job(self, job: str) -> Job:
        """Return one job."""
        jobs = _LocalJobs(self._gateway, self._actor)
        return Job(jobs, jobs.read(job))

    def links(self, dataset: str) -> list[dict[str, Any]]:
        """Return the share links of a dataset."""
        parse_dataset(dataset)
        return [link.to_json() for link in list_links(self._gateway, self._actor, dataset)]

    def share(self, dataset: str, entry: str | None = None, **wanted: Any) -> dict[str, Any]:
        """Make a share link; its URL is that of the base URL of the settings."""
        role = parse_role(wanted.get("role", "viewer"))
        life = timedelta(days=wanted.get("days", USUAL_LIFE.days))
        link, token = make_link(
            self._gateway,
            self._actor,
            dataset,
            entry,
            role,
            life=life,
            note=wanted.get("note", ""),
        )
        settings = self._gateway.settings
        base = settings.base_url or f"http://{settings.host}:{settings.port}"
        return {**find_link(self._gateway, link).to_json(), "url": f"{base}/s/{token}/"}

    def revoke(self, dataset: str, link: str) -> None:
        """End a share link."""
        if find_link(self._gateway, link).dataset != dataset:
            raise NotFoundError(f"there is no share link {link[:60]!r} of {dataset}")
        revoke_link(self._gateway, self._actor, link)

    def lend(self, dataset: str) -> Lent:
        """Lend a browser what one may see of a dataset."""
        return Lent(f"/s/{make_pass(self._gateway, self._actor, dataset).token}/", None)

    def layers(self, dataset: str) -> list[dict[str, Any]]:
        """Return the annotation layers of a dataset."""
        return list_layers(self._gateway, self._actor, parse_dataset(dataset))

    def close(self) -> None:
        """Close the catalogue."""
        self._gateway.catalogue.close()

    def __repr__(self) -> str:
        """Describe the session."""
        return f"<gateway of {self._gateway.home}>"


class _LocalJobs:
    """Jobs of a home."""

    def __init__(self, gateway: Gateway, actor: Actor) -> None:
        self._gateway = gateway
        self._actor = actor

    def read(self, job: str) -> dict[str, Any]:
        found = see(self._gateway, self._actor, job)
        progress = progress_of(self._gateway, found).to_json()
        return {**describe_job(self._gateway, found), "progress": progress}

    def log(self, job: str) -> str:
        return Journal(self._gateway, see(self._gateway, self._actor, job).id).log_tail()

    def cancel(self, job: str) -> dict[str, Any]:
        return describe_job(self._gateway, cancel(self._gateway, self._actor, job))

    def resume(self, job: str) -> dict[str, Any]:
        return describe_job(self._gateway, resume(self._gateway, self._actor, job))


def _call(
    tool: str, inputs: Mapping[str, str], outputs: Mapping[str, str], settings: Mapping[str, Any]
) -> Call:
    return call_from_words(tool, inputs, outputs, settings)


def _json(kind: Any, value: Any) -> dict[str, Any]:
    """Return a record as the API words it."""
    return dict(TypeAdapter(kind).dump_python(value, mode="json"))
