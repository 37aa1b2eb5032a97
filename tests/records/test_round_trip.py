"""Whatever a run was, its record comes back from JSON, crate and catalogue as it was."""

import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.records.catalogue import Catalogue
from gateway.records.crate import crate_key, read_crate, write_crate
from gateway.records.runs import PortRecord, RunRecord, SourceFile
from gateway.volumes.dataset import DatasetInfo
from gateway.volumes.store import open_store

# NUL is the one character that PostgreSQL's text cannot hold; no name or message has it
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
NAME = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
DIGEST = st.from_regex(r"blake3:[0-9a-f]{64}", fullmatch=True)
TIME = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001 - the zone is drawn too
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours))),
)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
PORT = st.builds(
    PortRecord,
    port=NAME,
    ref=st.builds("{}/{}".format, NAME, NAME) | TEXT,
    kind=st.sampled_from(["image", "points", "file"]),
    digest=st.none() | DIGEST,
)
SOURCE = st.builds(SourceFile, path=TEXT, size=st.integers(0, 2**50), checksum=DIGEST)
RUN = st.builds(
    RunRecord,
    id=NAME,
    tool=NAME,
    version=st.just("1.0.0"),
    image=TEXT,
    call=st.fixed_dictionaries({"params": st.dictionaries(TEXT, VALUE, max_size=4)}),
    call_digest=DIGEST,
    status=st.just("done"),
    started=TIME,
    ended=st.none() | TIME,
    wall_s=st.none() | st.floats(0, 1e9),
    person=st.none() | TEXT,
    orcid=st.none() | st.just("0000-0002-1825-0097"),
    host=TEXT,
    workers=st.integers(1, 4096),
    error=st.none() | TEXT,
    gateway=st.just("0.1.0"),
    inputs=st.lists(PORT, max_size=3).map(tuple),
    outputs=st.lists(PORT, max_size=3).map(tuple),
    sources=st.lists(SOURCE, max_size=3).map(tuple),
)


@given(run=RUN)
def test_json_keeps_a_record(run: RunRecord) -> None:
    assert RunRecord.from_json(run.to_json()) == run


@settings(max_examples=25, deadline=None)
@given(run=RUN)
def test_a_crate_keeps_a_record(run: RunRecord) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder))
        write_crate(store, "m1", DatasetInfo(), runs=[run])
        first = store.get(crate_key("m1"))
        assert read_crate(store, "m1").runs == (run,)
        write_crate(store, "m1", DatasetInfo(), runs=[run])
        assert store.get(crate_key("m1")) == first


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(run=RUN)
def test_a_catalogue_keeps_a_record(catalogue: Catalogue, run: RunRecord) -> None:
    catalogue.put_run(run)
    assert catalogue.run(run.id) == run
