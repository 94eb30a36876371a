"""Rows that are posted: judged, kept through a crash, loaded once."""

import base64
import gzip
import os
import re
import resource
import shlex
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import orjson
import pytest

from ingest import landing_folder
from ingest.appending import Appender
from ingest.landing import load_day
from serving import keys
from serving.envelopes import BadBody, captured, rows_of, unpacked
from tests.cli.conftest import ROOT, footfall_of
from tests.conftest import drop
from tests.serving.conftest import Desk, event, serving
from warehouse.connection import Warehouse
from warehouse.errors import FootfallError


@pytest.fixture(scope="module")
def desk(server: Warehouse) -> Iterator[Desk]:
    """A running service with a key for appending to the tenant shop."""
    drop(server)
    with serving(server, [], FOOTFALL_API_RATE="10000/second") as service:
        yield Desk(server, service.address, keys.create(server, "shop", "append"))
    drop(server)


def number_of(answer: httpx.Response) -> tuple[int, int]:
    assert answer.status_code == 202, answer.text
    body = answer.json()
    return body["successful_rows"], body["quarantined_rows"]


def test_rows_in_any_shape_are_kept_under_the_tenant_of_the_key(desk: Desk) -> None:
    row = {"event": "click", "timestamp": "2026-03-01 10:00:00", "user_id": "ann"}
    before = len(desk.kept())
    assert number_of(desk.post(row)) == (1, 0)
    assert number_of(desk.post([row, row])) == (2, 0)
    lines = orjson.dumps(row | {"n": 1.50}) + b"\n\n" + orjson.dumps(row | {"tenant_id": "shop"}) + b"\n"
    assert number_of(desk.post(lines)) == (2, 0)
    assert number_of(desk.post(gzip.compress(lines), **{"Content-Encoding": "gzip"})) == (2, 0)
    assert number_of(desk.post(b"")) == (0, 0)
    kept = desk.kept()[before:]
    assert len(kept) == 7 and {row["tenant_id"] for row in kept} == {"shop"}


def test_rows_that_are_no_events_are_put_aside_with_the_reason(desk: Desk) -> None:
    good = {"event": "click", "timestamp": "2026-03-01 10:00:00", "user_id": "ben"}
    rows = [good, good | {"event": ""}, good | {"timestamp": "soon"}, good | {"tenant_id": "rival"},
            good | {"location_id": "rival"}, good]  # fmt: skip
    body = b"\n".join(orjson.dumps(row) for row in rows) + b"\nno json at all\n[1]\n"
    assert number_of(desk.post(body)) == (2, 6)
    aside = desk.kept(folder="quarantine")[-6:]
    assert sorted(row["reason"] for row in aside) == [
        "location_id is not the tenant of the key", "no event name", "not a JSON object with fields",
        "not readable as JSON", "tenant_id is not the tenant of the key", "unreadable timestamp",
    ]  # fmt: skip
    assert "no json at all" in {row["row"] for row in aside}
    assert not any(row.get("tenant_id") == "rival" for row in desk.kept())
    told = footfall_of(desk.warehouse)("status").stdout
    assert f"Quarantined {len(desk.kept(folder='quarantine'))} posted rows of events: " in " ".join(told.split())


def test_a_tenant_that_is_named_in_a_hidden_way_is_found(desk: Desk) -> None:
    rest = b'"event":"click","timestamp":"2026-03-01 10:00:00","user_id":"eve"'
    hidden = [
        b'{"tenant_id":"rival",' + rest + b',"tenant_id":"shop"}',
        b'{"tenant_id":null,"tenant_id":"rival",' + rest + b"}",
        b'{"tenant\\u005fid":"rival",' + rest + b"}",
        b'\xef\xbb\xbf{"tenant_id":"rival",' + rest + b"}",
        b'{"tenant_id":"rival",' + rest + b',"x":NaN}',
        b'{"tenant_id":"rival",' + rest + b',"x":"\\ud800"}',
        b'{"tenant_id":["rival"],' + rest + b"}",
    ]
    before = len(desk.kept())
    for line in hidden:
        assert number_of(desk.post(line)) == (0, 1), line
    assert number_of(desk.post(b"\n".join(hidden))) == (0, len(hidden))
    assert len(desk.kept()) == before
    taken = [b"{" + rest + b',"x":NaN}', b"{" + rest + b',"x":"\\ud800"}', b'{"organization_id":"rival",' + rest + b"}"]
    assert number_of(desk.post(b"\n".join(taken))) == (3, 0)


def test_rows_are_judged_as_the_landing_folder_says_they_are_read(desk: Desk) -> None:
    options = landing_folder.folder(desk.warehouse.settings) / "events" / "footfall.yml"
    row = {"event": "click", "when": "2026-03-01 10:00:00", "user_id": "ann"}
    assert number_of(desk.post(row)) == (0, 1)
    try:
        options.write_text("map: {timestamp: when, city: town}\n")
        assert number_of(desk.post(row)) == (1, 0)
        # and loaded, though none of them has a town
        file = landing_folder.folder(desk.warehouse.settings) / "events" / "2026-03-01" / "posted-x.ndjson"
        file.parent.mkdir()
        file.write_bytes(orjson.dumps(row | {"tenant_id": "shop"}) + b"\n")
        (loaded,) = load_day(desk.warehouse, "events", date(2026, 3, 1))
        assert (loaded.status, loaded.rows_accepted) == ("loaded", 1)
        shutil.rmtree(file.parent)
        options.write_text("set: {tenant_id: rival}\n")
        assert number_of(desk.post(row | {"timestamp": "2026-03-01 10:00:00"})) == (0, 1)
        options.write_text("colour: red\n")
        answer = desk.post(row)
        assert answer.status_code == 503 and str(options) not in answer.text
    finally:
        options.unlink()
    assert number_of(desk.post(row | {"timestamp": "2026-03-01 10:00:00"})) == (1, 0)


def test_identity_mappings_are_taken_too(desk: Desk) -> None:
    path = "/v0/events?name=identity_mappings"
    assert number_of(desk.post([{"anonymous_id": "a", "user_id": "u"}, {"anonymous_id": "a"}], path)) == (1, 1)
    assert desk.kept("identity_mappings")[-1]["tenant_id"] == "shop"


def test_bodies_of_posthog_sdks(desk: Desk) -> None:
    batch = {
        "api_key": desk.key,
        "batch": [
            {"event": "$pageview", "properties": {"distinct_id": "p-1", "$lib": "web", "token": desk.key}},
            {"event": "$identify", "distinct_id": "pia", "timestamp": "2026-03-01T10:00:00Z", "uuid": "u-1",
             "properties": {"$anon_distinct_id": "p-1"}, "$set": {"plan": "gold"}},
        ],
    }  # fmt: skip
    assert number_of(desk.post(batch, "/batch/", Authorization="")) == (2, 0)
    single = {"api_key": desk.key, "event": "buy", "properties": {"distinct_id": "pia"}}
    assert number_of(desk.post(single, "/capture", Authorization="")) == (1, 0)
    listed = [{"event": "$pageview", "properties": {"token": desk.key, "distinct_id": "p-2"}}]
    assert number_of(desk.post(listed, "/e/", Authorization="")) == (1, 0)
    kept = desk.kept()[-4:]
    assert desk.key not in str(kept) and all(row["timestamp"] for row in kept)
    assert kept[1]["$set"] == {"plan": "gold"}


def test_an_event_that_waited_in_a_browser_says_how_long() -> None:
    at = datetime(2026, 3, 1, 10, tzinfo=UTC)
    _, lines = captured([{"event": "a", "offset": 1500}, {"event": "b", "timestamp": "t", "offset": 1}, {}, 1], at)
    times = [orjson.loads(line) for line in lines]
    assert [row["timestamp"] for row in times[:3]] == ["2026-03-01T09:59:58.500000+00:00", "t", at.isoformat()]
    assert times[3] == 1


def test_bodies_of_segment_sdks(desk: Desk) -> None:
    basic = "Basic " + base64.b64encode(f"{desk.key}:".encode()).decode()
    batch = {"batch": [{"type": "track", "event": "Order", "userId": "sue", "messageId": "m-1", "context": {"a": 1}}],
             "context": {"a": 0, "locale": "es"}, "sentAt": "2026-03-01T10:00:00Z"}  # fmt: skip
    assert number_of(desk.post(batch, "/v1/batch", Authorization=basic)) == (1, 0)
    assert number_of(desk.post({"userId": "sue", "messageId": "m-2"}, "/v1/identify", Authorization=basic)) == (1, 0)
    # from a browser
    call = {"userId": "sue", "messageId": "m-3", "writeKey": desk.key}
    assert number_of(desk.post(call, "/v1/p", Authorization="")) == (1, 0)
    assert number_of(desk.post({"batch": [call | {"type": "alias"}]}, "/v1/b", Authorization="")) == (1, 0)
    kept = desk.kept()[-4:]
    assert [row["type"] for row in kept] == ["track", "identify", "page", "alias"]
    assert (kept[0]["context"], kept[0]["timestamp"]) == ({"a": 1, "locale": "es"}, "2026-03-01T10:00:00Z")
    assert desk.key not in str(kept)


def test_the_examples_of_the_docs(desk: Desk) -> None:
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8").replace("\\\n", "")
    appending = page.partition("## Appending rows")[2]
    examples = re.findall(r"```sh\ncurl (.*?)\n```\n\n```json\n(.*?)\n```", appending, flags=re.DOTALL)
    assert len(examples) == 3
    for line, answer in examples:
        address, *options = shlex.split(line.replace("$KEY", desk.key))
        given = dict(zip(options[::2], options[1::2], strict=True))
        headers = {"Authorization": ""} | dict([given["-H"].split(": ")] if "-H" in given else [])
        if user := given.get("-u"):
            headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
        told = desk.post(given["-d"].encode(), address.removeprefix("http://127.0.0.1:8000"), **headers)
        assert (told.status_code, told.json()) == (202, orjson.loads(answer))
    described = desk.http.get(f"{desk.address}/openapi.json").json()["paths"]
    for path, methods in described.items():
        assert "post" not in methods or f"`{path}`" in page or f"POST {path}?" in page, path


def test_what_is_refused(desk: Desk) -> None:
    row = {"event": "click", "timestamp": "2026-03-01 10:00:00", "user_id": "ann"}
    assert desk.post(row, Authorization="Bearer wrong").status_code == 401
    read = keys.create(desk.warehouse, "shop", "read")
    time.sleep(1.1)
    assert desk.post(row, Authorization=f"Bearer {read}").status_code == 403
    assert desk.post(row, "/v0/events?name=sessions").status_code == 400
    assert desk.post(b"[1,", "/v0/events?name=events").status_code == 400
    assert desk.post(b"{}", "/v1/batch").status_code == 400
    assert desk.post(b"\x1f\x8bnot gzip", "/v0/events?name=events").status_code == 400
    bomb = gzip.compress(bytes(100 << 20))
    assert desk.post(bomb, "/v0/events?name=events").status_code == 413
    assert desk.post(bytes(11 << 20), "/v0/events?name=events").status_code == 413
    options = desk.http.options(
        f"{desk.address}/capture", headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    )
    assert (options.status_code, options.headers["Access-Control-Allow-Origin"]) == (200, "*")


def test_one_service_of_a_home_takes_rows(desk: Desk) -> None:
    row = {"event": "click", "timestamp": "2026-03-01 10:00:00", "user_id": "ann"}
    assert number_of(desk.post(row)) == (1, 0)
    with serving(desk.warehouse, []) as other:
        answer = Desk(desk.warehouse, other.address, desk.key).post(row)
    assert answer.status_code == 503 and str(desk.warehouse.settings.home) not in answer.text
    assert number_of(desk.post(row)) == (1, 0)


def test_many_at_once_are_taken_in_groups(desk: Desk) -> None:
    """2,000 rows a second on two cores is the aim; half of it is asked for here, where other tests run as well."""
    bodies = [
        b"\n".join(
            orjson.dumps(event("shop", 500 * number + place, "click", "03 10:00:00", distinct_id=f"d{place}"))
            for place in range(500)
        )
        for number in range(20)
    ]
    started = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        assert {number_of(answer) for answer in pool.map(desk.post, bodies)} == {(500, 0)}
    assert 10_000 / (time.perf_counter() - started) > 1_000


def test_an_appender_cuts_off_what_was_never_finished(tmp_path: Path) -> None:
    appender = Appender(tmp_path, max_bytes=10, max_seconds=60)
    appender.append([b"one"])
    with pytest.raises(FootfallError):
        Appender(tmp_path)
    left = tmp_path / landing_folder.today().isoformat() / ".posted-x.ndjson"
    left.write_bytes(b"whole\nunfini")
    appender.append([b"two", b"three"])  # long enough now
    appender.close()
    again = Appender(tmp_path, max_seconds=0)
    assert left.with_name("posted-x.ndjson").read_bytes() == b"whole\n"
    again.append([b"four"])
    again.close()
    texts = sorted(path.read_bytes() for path in left.parent.glob("posted-*"))
    assert texts == [b"four\n", b"one\ntwo\nthree\n", b"whole\n"] and not list(left.parent.glob(".posted-*"))


def test_what_does_not_fit_on_the_disk_is_not_there_in_part(tmp_path: Path) -> None:
    appender = Appender(tmp_path)
    appender.append([b"one"])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            appender.append([b"much too long"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    appender.append([b"two"])
    appender.close()
    (file,) = tmp_path.glob("*/posted-*")
    assert file.read_bytes() == b"one\ntwo\n"


def test_rows_of_a_body() -> None:
    assert rows_of(b'{\n "a": 1\n}') == [b'{"a":1}']
    assert rows_of(b'{"a": 1.50}\n{"b": 2}') == [b'{"a": 1.50}', b'{"b": 2}']
    with pytest.raises(BadBody, match="too early"):
        unpacked(gzip.compress(os.urandom(1000))[:500], "gzip")
    assert unpacked(gzip.compress(b"a\n") + gzip.compress(b"b\n"), "") == b"a\nb\n"
    with pytest.raises(BadBody, match="'br'") as refused:
        unpacked(b"...", "br")
    assert refused.value.status == 415
