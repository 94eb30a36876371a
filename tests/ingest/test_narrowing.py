"""A file's statement looks only for what its first rows have; no row is read otherwise for that."""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import narrowing
from tests.ingest.conftest import Desk, event

# Rows that take all ways into the columns: names at any depth, in text that is JSON itself, written with escapes.
FIELDS: dict[str, Any] = {
    "utm_source": "news",
    "properties": {"$current_url": "https://a.example/x?utm_medium=cpc&gclid=G", "gclid": "H", "size": 3},
    "revenue": "12.50",
    "user_id": "ann",
    "anonymous_id": "a-1",
    "traits": {"plan": "pro"},
    "unknown": [1, {"revenue": 5}],
    "$session_id": 1772366400,
    "received_at": "2026-03-01 12:00:01",
    "location_id": "shop",
}
SEGMENT = {
    "type": "track", "event": "Order", "messageId": "m", "anonymousId": "a-7", "timestamp": "2026-03-01T12:00:00Z",
    "originalTimestamp": "2026-03-01T12:00:00Z", "context": {"library": {"name": "x"}},
}  # fmt: skip

ROWS = st.lists(st.sets(st.sampled_from(sorted(FIELDS))), min_size=1, max_size=6)


def rows_of(chosen: list[set[str]], escaped: bool) -> list[Any]:
    rows: list[Any] = [event(event_id=str(n), **{k: FIELDS[k] for k in some}) for n, some in enumerate(chosen)]
    rows += [event(event_id="text", properties=json.dumps(FIELDS["properties"])), SEGMENT]
    if escaped:
        rows.append(json.dumps(event(event_id="escaped", revenue=7)).replace("revenue", "reven\\u0075e"))
    return rows


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.booleans())
def test_rows_are_read_as_by_the_statement_that_looks_for_everything(
    desk: Desk, chosen: list[set[str]], escaped: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        path = desk.put("rows.ndjson", rows_of(chosen, escaped))
        # the head of the file is its first row
        patch.setattr(narrowing, "names_in", lambda head, rows: _NAMES_IN(head, rows[:1]))
        narrow = desk.load(path, tenant="t", replace=True)
        patch.setattr(narrowing, "names_in", lambda head, rows: None)
        whole = desk.load(desk.put("whole.ndjson", path.read_bytes() + b"\n"), tenant="t", replace=True)
    if "skipped" in (narrow.status, whole.status):
        return
    readings = [
        desk.query(
            "SELECT * EXCEPT load_id FROM events WHERE load_id = {load_id:String} ORDER BY line", load_id=result.load_id
        )
        for result in (narrow, whole)
    ]
    assert readings[0] == readings[1]
    assert narrow.findings == whole.findings


def test_letters_of_other_languages_written_as_escapes_hide_no_name(desk: Desk) -> None:
    rows = [event(event_id=str(n), properties={"café": "ü"}) for n in range(3)]
    path = desk.put("rows.ndjson", [*map(json.dumps, rows), json.dumps(event(event_id="m", revenue=7))])
    head = path.read_bytes()
    assert rb"\u00e9" in head
    assert narrowing.names_in(head, rows) is not None
    assert narrowing.names_in(rb'{"reven\u0075e": 7}', rows) is None
    # no name of a contract is hidden by them; one of the user's own may be
    assert not re.search(narrowing.pattern([("revenue",)], frozenset()), json.dumps(rows[0]))
    own = narrowing.pattern([("café",)], frozenset())
    assert re.search(own, json.dumps(rows[0])) and re.search(own, json.dumps(rows[0], ensure_ascii=False))
    assert desk.load(path, mapping={"city": "properties.café"}, tenant="t").rows_accepted == 4
    assert desk.query("SELECT DISTINCT city FROM events WHERE event_id != 'm'") == [{"city": "ü"}]


_NAMES_IN = narrowing.names_in
