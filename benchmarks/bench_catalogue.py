"""Searching a catalogue of thousands of datasets and a million runs: server time of each request.

It makes such a catalogue, then asks the service's own search, and the JSON route and the page in
process, as an administrator and as a member of a group that may see a part.

    python benchmarks/bench_catalogue.py [--quick] [--database postgresql://…]
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import quantiles

from sqlalchemy import insert

from gateway.records.access_tables import GrantRow, MemberRow, PersonRow
from gateway.records.database import writing
from gateway.records.rows import DatasetRecord, dataset_row, facet_values, join_facets
from gateway.records.tables import DatasetRow, EntryRow, FacetRow, RunPortRow, RunRow
from gateway.service.access.actor import Actor
from gateway.service.access.sessions import open_session
from gateway.service.browse.search import Query, search
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home

BAR_MS = 50
SPECIES = ("Mus musculus", "Rattus norvegicus", "Danio rerio", "Callithrix jacchus", "Homo sapiens")
STAINS = ("NeuN", "c-Fos", "TH", "parvalbumin", "DAPI", "GFP", "Nissl", "tdTomato")
MODALITIES = ("light sheet", "confocal", "two-photon", "electron microscopy", "MRI")
LICENCES = ("CC-BY-4.0", "CC0-1.0", "CC-BY-NC-4.0", "")
WORDS = (
    *("cortex", "hippocampus", "striatum", "olfactory", "cerebellum", "thalamus"),
    *("control", "lesion", "adult", "p14"),
)
ENTRIES = (("raw", "tiles"), ("brain", "image"), ("nuclei", "points"), ("masks", "labels"))
BATCH = 20_000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="a tenth of it")
    options.add_argument("--database", help="a PostgreSQL URL of an empty database")
    options.add_argument("--home", type=Path, help="keep the catalogue here, or use it again")
    given = options.parse_args()
    datasets, runs = (1_000, 100_000) if given.quick else (10_000, 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        home = given.home or Path(folder) / "home"
        fresh = not (home / "gateway.toml").exists()
        if fresh:
            init_home(home)
            if given.database:
                (home / "gateway.toml").write_text(f'catalogue = "{given.database}"\n')
        gateway = open_gateway(home)
        with gateway.catalogue:
            if fresh:
                started = time.perf_counter()
                fill(gateway, datasets, runs)
                print(f"filled in {time.perf_counter() - started:.0f} s")
            print(f"{gateway.database.dialect.name}: {datasets:,} datasets, {runs:,} runs")
            measure(gateway)


def fill(gateway: Gateway, datasets: int, runs: int) -> None:
    chance = random.Random(7)  # noqa: S311 - the same catalogue each time
    begin = datetime(2019, 1, 1, tzinfo=UTC)
    people = [f"Person {number}" for number in range(200)]
    names = [f"{chance.choice(WORDS)}_{number:05}" for number in range(datasets)]
    with writing(gateway.database) as connection:
        for table, rows in (
            (DatasetRow, rows_of_datasets(chance, names, people, begin)),
            (EntryRow, rows_of_entries(names)),
            (RunRow, rows_of_runs(chance, runs, people, begin)),
            (RunPortRow, rows_of_ports(names, runs)),
        ):
            for batch in batches(rows):
                if table is DatasetRow:
                    facets = [facet for row in batch for facet in row.pop("rows")]
                    connection.execute(insert(DatasetRow), batch)
                    connection.execute(insert(FacetRow), facets)
                else:
                    connection.execute(insert(table), batch)
        person = {"name": "ana", "display": "Ana", "administrator": False, "active": True}
        connection.execute(insert(PersonRow).values(**person, made=begin))
        connection.execute(
            insert(PersonRow).values(**person | {"name": "root", "administrator": True}, made=begin)
        )
        connection.execute(insert(MemberRow).values({"group_name": "lab", "person": "ana"}))
        grants = [
            {"dataset": name, "subject": "group:lab", "role": "viewer"} for name in names[::2]
        ]
        connection.execute(insert(GrantRow), grants)


def rows_of_datasets(
    chance: random.Random, names: list[str], people: list[str], begin: datetime
) -> Iterator[dict[str, object]]:
    for name in names:
        made = begin + timedelta(days=chance.random() * 2500)
        info = {
            "title": f"{chance.choice(WORDS)} of {chance.choice(WORDS)} {name[-5:]}",
            "sample": f"animal {chance.randrange(3000)}",
            "species": chance.choice(SPECIES),
            "stain": chance.choice(STAINS),
            "modality": chance.choice(MODALITIES),
            "licence": chance.choice(LICENCES),
            "people": chance.sample(people, 2),
            "tags": chance.sample(WORDS, 2),
        }
        row = dataset_row(DatasetRecord(name=name, info=info))
        values = {"name": name, "info": info, "search": row.search, "title": row.title}
        facets = facet_values(info, made)
        rows = [{"dataset": name, "facet": facet, "value": value} for facet, value in facets]
        times = {"made": made, "changed": made}
        yield {**values, **times, "facets": join_facets(facets), "rows": rows}


def rows_of_entries(names: list[str]) -> Iterator[dict[str, object]]:
    for dataset in names:
        for name, kind in ENTRIES:
            yield {"dataset": dataset, "name": name, "kind": kind, "facts": {"count": 1}}


def rows_of_runs(
    chance: random.Random, runs: int, people: list[str], begin: datetime
) -> Iterator[dict[str, object]]:
    for number in range(runs):
        yield {
            "id": f"run-{number}",
            "tool": chance.choice(("stitch", "detect_nuclei", "measure_regions")),
            "version": "1.0.0",
            "image": "",
            "call": {"params": {"sigma": number}},
            "call_digest": f"blake3:{number}",
            "status": "failed" if number % 50 == 0 else "done",
            "started": begin + timedelta(seconds=150 * number),
            "person": chance.choice(people),
            "host": "bench",
            "engine": "local",
            "workers": 2,
            "gateway": "0",
        }


def rows_of_ports(names: list[str], runs: int) -> Iterator[dict[str, object]]:
    for number in range(runs):
        name = names[number % len(names)]
        for direction, entry in (("input", "brain"), ("output", "nuclei")):
            yield {
                "run": f"run-{number}",
                "direction": direction,
                "position": 0,
                "port": entry,
                "ref": f"{name}/{entry}",
                "dataset": name,
                "kind": "image",
            }


def batches(rows: Iterator[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    batch: list[dict[str, object]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def queries() -> list[Query]:
    chance = random.Random(3)  # noqa: S311 - the same questions each time
    typed = [word[:length] for word in WORDS for length in (1, 2, 3, len(word))]
    made = [Query(words=text) for text in typed]
    made += [Query(words=f"{a} {b}") for a, b in (chance.sample(WORDS, 2) for _ in range(20))]
    made += [Query(words="nothing has this"), Query(), Query(sort="title"), Query(page=100)]
    made += [Query(chosen={"species": (value,)}) for value in SPECIES]
    made += [
        Query(words=word, chosen={"stain": ("NeuN", "TH"), "year": ("2021",)}, sort="title")
        for word in WORDS
    ]
    return made


def measure(gateway: Gateway) -> None:
    administrator = Actor(person="root", administrator=True)
    member = Actor(person="ana", groups=frozenset({"lab"}))
    for who, actor in (("administrator", administrator), ("member of a group", member)):
        taken = [timed(partial(search, gateway, actor, query)) for query in queries()]
        report(f"search, {who}", taken)
    asyncio.run(measure_web(gateway))


async def measure_web(gateway: Gateway) -> None:
    import httpx

    from gateway.web.app import create_app

    transport = httpx.ASGITransport(create_app(gateway))
    for person in ("root", "ana"):
        secret = open_session(gateway, person, kind="token")
        headers = {"Authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://bench", headers=headers
        ) as client:
            for path in ("/api/datasets", "/"):
                taken = []
                for query in queries():
                    values = {"q": query.words, "sort": query.sort, "page": query.page}
                    begin = now()
                    answer = await client.get(path, params={**values, **query.chosen})
                    taken.append(since(begin))
                    answer.raise_for_status()
                report(f"GET {path}, {person}", taken[1:])


def timed(work: Callable[[], object]) -> tuple[float, float]:
    begin = now()
    work()
    return since(begin)


def now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def since(begin: tuple[float, float]) -> tuple[float, float]:
    """Return wall and processor time: on a busy machine only the second is of this work."""
    return time.perf_counter() - begin[0], time.process_time() - begin[1]


def report(what: str, taken: list[tuple[float, float]]) -> None:
    wall, processor = (
        quantiles([one[which] * 1000 for one in taken], n=100, method="inclusive")
        for which in (0, 1)
    )
    verdict = "within" if wall[94] <= BAR_MS else "OVER"
    print(
        f"{what:28} {len(taken)} requests: p50 {wall[49]:5.1f} ms, p95 {wall[94]:5.1f} ms "
        f"({verdict} the bar of {BAR_MS} ms); processor p50 {processor[49]:.1f} ms, "
        f"p95 {processor[94]:.1f} ms"
    )


if __name__ == "__main__":
    main()
