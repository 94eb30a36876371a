"""Cases that once made an incremental build differ from a rebuild, or fail: each under its own tenant.

All of them are told together, before and after one change, so that they cost three builds.
"""

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from cli.build import _of_nobody
from tests.cli.conftest import footfall_of
from tests.conftest import drop
from tests.exactness.builds import Builder, beside
from tests.exactness.stories import File, Row
from warehouse.connection import Warehouse

pytestmark = pytest.mark.slow


def event(tenant: str, day: str, distinct_id: str, **more: object) -> Row:
    return {"tenant_id": tenant, "event": "click", "timestamp": f"{day}T10:00:00Z", "distinct_id": distinct_id, **more}


def identify(tenant: str, day: str, user: str, anonymous: str, **more: object) -> Row:
    return event(tenant, day, user, **more) | {"event": "$identify", "properties": {"$anon_distinct_id": anonymous}}


def merge(tenant: str, one: str, other: str) -> Row:
    return {"tenant_id": tenant, "anonymous_id": one, "user_id": other, "kind": "merge"}


def visit(tenant: str, time: str, distinct_id: str, session_id: str, **more: object) -> Row:
    """An event of a browser that sends session ids, on 5 January."""
    return event(tenant, "2026-01-05", distinct_id, timestamp=f"2026-01-05T{time}Z", session_id=session_id, **more)


def lone(tenant: str, time: str, distinct_id: str, **more: object) -> Row:
    """An event without a session id, on 5 January."""
    return event(tenant, "2026-01-05", distinct_id, timestamp=f"2026-01-05T{time}Z", **more)


def chain(length: int) -> list[str]:
    """Ids in no order: propagation that only ever lowers an id's own label needs as many rounds as there are ids."""
    rng = random.Random(4)
    return [f"{rng.getrandbits(64):016x}" for _ in range(length)]


IDS = chain(300)
# What some of them send in a file of their own, which is replaced.
REPLACED = [
    visit("begins", "09:00:00", "nobody before", "other"),
    visit("ceases", "10:00:00", "ana", "x"),
    visit("two devices", "10:05:00", "ana", "phone"),
]
BEFORE = [
    File("identity_mappings", "chain.ndjson", [merge("chain", *pair) for pair in pairwise(IDS[:251])]),
    File(
        "events",
        "before.ndjson",
        [
            event("chain", "2026-01-05", IDS[0]),
            event("weekly", "2026-01-05", "ana"),
            event("weekly", "2026-01-05", "ben"),
            event("daily", "2026-01-05", "ana"),
            event("parts", "2026-01-05", "ana", session_id="x"),
            event("parts", "2026-01-07", "ana", session_id="x"),
            event("shrinks", "2026-01-03", "ana"),
            event("join", "2026-01-05", "visitor"),
            event("join", "2026-01-05", "ana"),
            event("join", "2026-01-06", "visitor"),
            event("split", "2026-01-05", "visitor"),
            event("split", "2026-01-05", "ana"),
            event("wrong", "2026-01-05", "ana"),
            # alice logs in, then bob where she was; a browser that nobody has logged in on yet becomes ben's
            identify("switch", "2026-01-05", "alice", "browser"),
            identify("switch", "2026-01-06", "bob", "alice"),
            identify("switch", "2026-01-05", "ben", "ana"),
            # the same by a mapping and an event: two names of one person
            identify("switch", "2026-01-05", "cem", "laptop"),
            identify("switch", "2026-01-06", "cem@x", "cem"),
            # a server's events: in the session, at its very end, after it; of somebody who never was there
            visit("server", "10:00:00", "browser", "x"),
            visit("server", "10:20:00", "ana", "x", device_id="browser"),
            lone("server", "10:10:00", "ana", revenue=5),
            lone("server", "10:50:00", "browser", revenue=7),
            lone("server", "10:50:00.000001", "ana", revenue=9),
            lone("server", "10:10:00", "ben"),
            # the session of another id does not count, nor another tenant's
            visit("servers", "10:00:00", "ana", "x"),
            lone("begins", "10:00:00", "ana"),
            lone("begins", "10:10:00", "ana"),
            lone("begins", "11:00:00", "ana"),
            lone("ceases", "10:10:00", "ana"),
            lone("ceases", "11:00:00", "ana"),
            visit("two devices", "10:00:00", "ana", "laptop"),
            visit("two devices", "11:00:00", "ana", "laptop"),
            lone("two devices", "10:10:00", "ana"),
            lone("two devices", "10:40:00", "ana"),
            visit("grows", "10:00:00", "ana", "x"),
            lone("grows", "10:50:00", "ana"),
            visit("corrected", "10:00:00", "ana", "x"),
            lone("corrected", "10:10:00", "ana", event_id="e", revenue=5),
            visit("moves", "10:00:00", "browser", "x"),
            lone("moves", "10:10:00", "job", device_id="browser"),
            # a login in the middle, under a device id, an anonymous id, or neither
            lone(
                "login", "10:00:00", "a1", anonymous_id="a1", properties={"utm_source": "news", "utm_medium": "email"}
            ),
            lone("login", "10:01:00", "ana", anonymous_id="a1", user_id="ana"),
            lone("login", "10:02:00", "ana", anonymous_id="a1", user_id="ana", revenue=50),
            lone("login on a device", "10:00:00", "a1", device_id="phone", anonymous_id="a1"),
            lone("login on a device", "10:01:00", "ana", device_id="phone"),
            lone("logout", "10:00:00", "ana", anonymous_id="a1", user_id="ana"),
            lone("logout", "10:01:00", "a1", anonymous_id="a1"),
            # back from the payment page, and from the sign-in page
            lone("payment", "10:00:00", "ana", properties={"$host": "shop.example", "$referrer": "$direct"}),
            lone(
                "payment", "10:05:00", "ana", properties={"$host": "shop.example", "$referrer": "https://pay.example/"}
            ),
            lone("payment", "10:06:00", "ana", revenue=10),
            lone("sign-in", "10:00:00", "ana"),
            lone("sign-in", "10:01:00", "ana", properties={"$pathname": "/", "$referring_domain": "news.example"}),
            lone(
                "sign-in",
                "10:05:00",
                "ana",
                properties={"$pathname": "/in", "$referring_domain": "accounts.google.com"},
            ),
            # the site's second host is its own as well
            lone(
                "hosts",
                "10:00:00",
                "ana",
                properties={"$host": "shop.example", "$referrer": "https://my-shop.example/"},
            ),
            lone(
                "hosts",
                "10:01:00",
                "ana",
                properties={"$host": "my-shop.example", "$referrer": "https://shop.example/"},
            ),
            lone(
                "bought", "10:00:00", "ana", properties={"gclid": "x", "utm_source": "google", "utm_medium": "organic"}
            ),
            # two campaigns, two clicks
            lone("campaigns", "10:00:00", "ana", properties={"utm_source": "news"}),
            lone("campaigns", "10:01:00", "ana", properties={"utm_source": "x", "utm_medium": "cpc", "gclid": "g"}),
            lone("clicks", "10:00:00", "ana", properties={"fbclid": "f"}),
            lone("clicks", "10:01:00", "ana", properties={"utm_source": "x", "utm_medium": "cpc", "gclid": "g"}),
            # Mixpanel's and Segment's ways to say that two ids are one person
            event("merges", "2026-01-05", "one") | {"event": "$merge", "previous_id": "other"},
            event("merges", "2026-01-05", "new") | {"event": "alias", "previous_id": "old"},
            # not a merge: any event may have a property of that name
            event("merges", "2026-01-05", "ana", properties={"alias": "ben"}),
            # spellings of what a person is
            event("spelt", "2026-01-05", "ana", person_properties={"plan": "free", "team": "a"}),
            event("spelt", "2026-01-06", "ana", traits={"plan": "pro"}),
            event("spelt", "2026-01-07", "ana", properties={"$set": {"city": "Oslo"}, "$set_once": {"plan": "old"}}),
            event("spelt", "2026-01-06", "ben", user_properties={"plan": "pro"}),
            # of nobody, in words and without any
            event("cookieless", "2026-01-05", "null", revenue=5),
            event("cookieless", "2026-01-05", "", revenue=5),
            event("cookieless", "2026-01-05", "ana"),
            event("only nobody", "2026-01-05", "Guest"),
            # sent again, corrected
            event("versions", "2026-01-05", "ana", event_id="e1", revenue=5),
            event("versions", "2026-01-05", "ana", event_id="e1", revenue=7),
            event("versions", "2026-01-05", "ana", event_id="e2", revenue=5),
            event("versions", "2026-01-05", "ana", event_id="e3", revenue=5, received_at="2026-01-05T10:00:01Z"),
            # the largest amounts
            event("rich", "2026-01-05", "ana", revenue="99999999999999999999999999999999.999999"),
            event("rich", "2026-01-05", "ben", revenue="-99999999999999999999999999999999.999999"),
            event("rich", "2026-01-05", "ben", revenue="0.000001"),
        ],
    ),
    File("events", "replaced.ndjson", REPLACED),
    File("identity_mappings", "visitors.ndjson", [merge("split", "visitor", "ana")]),
    File("events", "login.ndjson", [identify("switch", "2026-01-04", "dora", "phone")]),
    File("events", "switched.ndjson", [identify("switch", "2026-01-05", "eve", "dora")]),
    File("events", "last.ndjson", [event("shrinks", "2026-01-09", "ben")]),
    File(
        "retention_definitions",
        "daily.ndjson",
        [{"tenant_id": "daily", "retention_id": "daily", "kind": "first_time", "period": "week"}],
    ),
]
AFTER = [
    # one visitor is somebody now, the other one is nobody any more
    File("identity_mappings", "visitors.ndjson", [merge("join", "visitor", "ana")]),
    File("identity_mappings", "rest.ndjson", [merge("chain", *pair) for pair in pairwise(IDS[250:])]),
    File(
        "events",
        "corrections.ndjson",
        [
            event("versions", "2026-01-05", "ana", event_id="e2", revenue=8),
            event("versions", "2026-01-05", "ana", event_id="e3", revenue=9),
        ],
    ),
    # what comes later says that ana is an account; what is withdrawn, that dora is none
    File("events", "accounts.ndjson", [event("switch", "2026-01-01", "ana", is_identified=True)]),
    File("events", "login.ndjson", [event("switch", "2026-01-04", "phone")]),
    File("identity_mappings", "names.ndjson", [{"tenant_id": "switch", "anonymous_id": "cem", "user_id": "cem@x"}]),
    # the definition of one tenant becomes weekly, that of the other daily again
    File(
        "retention_definitions",
        "weekly.ndjson",
        [{"tenant_id": "weekly", "retention_id": "daily", "kind": "first_time", "period": "week"}],
    ),
    File(
        "retention_definitions",
        "daily.ndjson",
        [{"tenant_id": "daily", "retention_id": "daily", "kind": "first_time", "period": "day"}],
    ),
    # the last day goes, and what changes lies before the one that is the last now
    File("events", "last.ndjson", [event("shrinks", "2026-01-01", "ben")]),
    File(
        "events",
        "after.ndjson",
        [
            event("parts", "2026-01-07", "ana", session_id="x~2"),
            visit("grows", "10:20:00", "ana", "x"),
            lone("corrected", "10:10:00", "ana", event_id="e", revenue=6, received_at="2026-01-05T10:00:00Z"),
        ],
    ),
    File("identity_mappings", "job.ndjson", [{"tenant_id": "moves", "anonymous_id": "worker", "user_id": "job"}]),
    # the first session id of an id, the last one of another, and one of two that are open side by side
    File("events", "replaced.ndjson", [visit("begins", "10:05:00", "ana", "x")]),
]


# Loaded under a tenant that is given by hand: first the wrong one, which has events and an ana of its own.
NOBODYS = [
    event("", "2026-01-05", "ana"),
    event("", "2026-01-05", "visitor", session_id="x"),
    event("", "2026-01-06", "ana", event="$identify", properties={"$anon_distinct_id": "visitor"}),
]


@pytest.fixture(scope="module")
def told(shared_warehouse: Warehouse, nobodys: Path, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """All cases built before and after."""
    builder = Builder(shared_warehouse, tmp_path_factory.mktemp("cases"))
    footfall = footfall_of(shared_warehouse)
    for file in BEFORE:
        builder.load(file)
    assert footfall("load", "events", "--tenant", "wrong", str(nobodys)).returncode == 0
    builder.build()
    for file in AFTER:
        builder.load(file)
    assert footfall("unload", str(nobodys)).returncode == 0
    assert footfall("load", "events", "--tenant", "right", str(nobodys)).stdout.startswith("loaded")
    builder.build()
    return builder


@pytest.fixture(scope="module")
def nobodys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nobodys") / "nobodys.ndjson"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in NOBODYS))
    return path


@pytest.fixture(scope="module")
def straight(told: Builder, nobodys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """A warehouse that only ever had the files that stand in the end, and nobody's file under the right tenant."""
    builder = Builder(beside(told.warehouse, "straight"), tmp_path_factory.mktemp("straight"))
    for file in told.standing.values():
        builder.load(file)
    loaded = footfall_of(builder.warehouse)("load", "events", "--tenant", "right", str(nobodys))
    assert loaded.returncode == 0, loaded.stderr
    builder.build(test=False)
    yield builder
    drop(builder.warehouse)


def rows(told: Builder, query: str) -> list[tuple[object, ...]]:
    with told.warehouse.client(told.warehouse.settings.database) as client:
        return [tuple(row) for row in client.query(query).result_rows]


def test_none_of_them_differs_from_a_warehouse_that_had_only_what_stands(told: Builder, straight: Builder) -> None:
    assert told.differences(straight) == []


def test_a_wrong_tenant_that_was_unloaded_and_loaded_again_leaves_nothing_of_the_mistake(told: Builder) -> None:
    """That the right one's tables are as if nothing had happened, the test above shows."""
    found = rows(told, "select tenant_id, count() from events where tenant_id in ('right', 'wrong') group by all")
    assert sorted(found) == [("right", 3), ("wrong", 1)]


def test_a_long_chain_of_merged_ids_is_one_person(told: Builder) -> None:
    found = rows(told, "select uniqExact(user_id), count() from identities where tenant_id = 'chain'")
    assert found == [(1, len(IDS))]


def test_an_event_joins_no_identified_id_to_another_whenever_it_turns_out_to_be_one(told: Builder) -> None:
    found = rows(
        told, "select user_id, arraySort(groupArray(distinct_id)) from identities where tenant_id = 'switch'"
        " group by user_id order by user_id",
    )  # fmt: skip
    assert found == [
        ("alice", ["alice", "browser"]),
        ("ana", ["ana"]),
        ("ben", ["ben"]),
        ("bob", ["bob"]),
        ("cem", ["cem", "cem@x", "laptop"]),
        ("eve", ["dora", "eve"]),
        ("phone", ["phone"]),
    ]


def test_the_link_that_joined_nobody_is_kept_with_its_reason(told: Builder) -> None:
    found = rows(
        told, "select anonymous_id, rejected_user_id, kept_user_id, reason from identity_conflicts"
        " where tenant_id = 'switch' order by anonymous_id",
    )  # fmt: skip
    reason = "the anonymous id is itself an identified id"
    assert found == [("alice", "bob", "alice", reason), ("ana", "ben", "ana", reason)]


def test_merges_of_other_trackers_make_one_person(told: Builder) -> None:
    found = rows(
        told, "select arraySort(groupArray(distinct_id)) from identities where tenant_id = 'merges'"
        " group by user_id order by user_id",
    )  # fmt: skip
    assert sorted(found) == [(["ana"],), (["new", "old"],), (["one", "other"],)]


def test_attributes_have_many_spellings(told: Builder) -> None:
    found = rows(told, "select user_id, attributes from users where tenant_id = 'spelt' order by user_id")
    assert found == [("ana", '{"city":"Oslo","plan":"pro","team":"a"}'), ("ben", '{"plan":"pro"}')]


def test_events_of_nobody_are_counted_by_the_hour_and_nowhere_else(told: Builder) -> None:
    nobodys = "tenant_id in ('cookieless', 'only nobody')"
    assert rows(told, f"select tenant_id, user_id, count() from events where {nobodys} group by all order by all") == [
        ("cookieless", "", 2),
        ("cookieless", "ana", 1),
        ("only nobody", "", 1),
    ]
    hours = "select tenant_id, events_count, nobody_events_count, users_count from events_hourly"
    assert rows(told, f"{hours} where {nobodys} order by tenant_id") == [
        ("cookieless", 3, 2, 1),
        ("only nobody", 1, 1, 0),
    ]
    with_people = ("identities", "users", "user_days", "sessions", "user_attribution", "attribution_credit")
    for table in (*with_people, "funnel_events", "retention"):
        who = "''" if table == "retention" else "user_id"
        found = rows(told, f"select distinct tenant_id, {who} from {table} where {nobodys}")
        assert found in ([], [("cookieless", "" if table == "retention" else "ana")]), table


def test_a_build_tells_the_share_of_new_events_of_nobody(told: Builder, straight: Builder) -> None:
    assert _of_nobody(told.warehouse) == ""  # the last build brought none
    raw = straight.warehouse.settings.raw_database
    ((events,),) = rows(straight, f"select sum(rows_accepted) from {raw}.loads final where `table` = 'events'")
    assert isinstance(events, int)
    assert _of_nobody(straight.warehouse) == (
        f"3 of {events} new events ({3 / events:.1%}) are of nobody: they carry no id of anybody."
    )


def test_of_versions_without_a_received_at_the_one_loaded_last_is_the_event(told: Builder) -> None:
    found = rows(told, "select event_id, toFloat64(revenue) from events where tenant_id = 'versions' order by event_id")
    # e3 says when it was received, and what corrects it does not
    assert found == [("e1", 7), ("e2", 8), ("e3", 5)]


def test_amounts_of_38_digits_are_summed_and_credited_whole(told: Builder) -> None:
    found = rows(told, "select user_id, toString(lifetime_value) from users where tenant_id = 'rich' order by user_id")
    assert found == [
        ("ana", "99999999999999999999999999999999.999999"),
        ("ben", "-99999999999999999999999999999999.999998"),
    ]
    credited = rows(
        told, "select user_id, model, toString(sum(credited_revenue)) from attribution_credit"
        " where tenant_id = 'rich' group by all having user_id = 'ana'",
    )  # fmt: skip
    assert {value for _, _, value in credited} == {"99999999999999999999999999999999.999999"}


def test_a_definition_that_becomes_weekly_leaves_the_table_of_days(told: Builder) -> None:
    assert rows(told, "select users_count from retention_cohorts where tenant_id = 'weekly'") == []


def test_a_definition_that_becomes_daily_enters_the_table_of_days(told: Builder) -> None:
    assert rows(told, "select users_count from retention_cohorts where tenant_id = 'daily'") == [(1,)]


def test_a_sent_session_id_that_looks_like_a_part_is_no_part(told: Builder) -> None:
    found = rows(told, "select session_id from sessions where tenant_id = 'parts' order by session_id")
    assert found == [("x",), ("x~2",), ("x~2~1",)]


def test_a_tenant_whose_last_day_is_withdrawn_ends_on_the_day_before_it_that_is_left(told: Builder) -> None:
    found = rows(told, "select toString(last_event_date) from int_tenants where tenant_id = 'shrinks'")
    assert found == [("2026-01-03",)]


def test_hours_in_which_two_ids_became_one_person_or_two_count_them_so(told: Builder) -> None:
    found = rows(
        told,
        "select tenant_id, toString(date), events_count, users_count from events_hourly"
        " where tenant_id in ('join', 'split') order by tenant_id, date",
    )
    assert found == [
        ("join", "2026-01-05", 2, 1),
        ("join", "2026-01-06", 1, 1),
        ("split", "2026-01-05", 2, 2),
    ]


def sessions(told: Builder, tenant: str, columns: str) -> list[tuple[object, ...]]:
    return rows(told, f"select {columns} from sessions where tenant_id = '{tenant}' order by session_start, session_id")


def test_events_of_a_server_make_no_visits_and_count_in_the_one_that_is_going_on(told: Builder) -> None:
    found = sessions(told, "server", "user_id, is_derived, events_count, toString(session_end), toFloat64(revenue)")
    assert found == [
        ("browser", 0, 4, "2026-01-05 10:50:00.000000", 12),
        ("ben", 1, 1, "2026-01-05 10:10:00.000000", 0),
    ]
    assert rows(told, "select sum(lifetime_value) from users where tenant_id = 'server'") == [(21,)]


@pytest.mark.parametrize(
    ("tenant", "expected"),
    [
        ("begins", [("x", 0, 2)]),
        ("ceases", [("", 1, 1), ("", 1, 1)]),
        ("two devices", [("laptop", 0, 4)]),
        ("grows", [("x", 0, 3)]),
        ("login", [("", 1, 3)]),
        ("login on a device", [("", 1, 2)]),
        ("logout", [("", 1, 2)]),
    ],
)
def test_events_without_a_session_id_are_in_the_sessions_of_their_device(
    told: Builder, tenant: str, expected: list[tuple[str, int, int]]
) -> None:
    assert sessions(told, tenant, "if(is_derived, '', session_id), is_derived, events_count") == expected


def test_a_session_has_the_corrected_version_of_an_event_that_it_adopted(told: Builder) -> None:
    assert sessions(told, "corrected", "session_id, events_count, toFloat64(revenue)") == [("x", 2, 6)]


def test_a_session_is_of_the_person_that_the_id_of_an_adopted_event_turned_out_to_be(told: Builder) -> None:
    assert sessions(told, "moves", "session_id, user_id") == [("x", "job")]


@pytest.mark.parametrize(
    ("tenant", "expected"),
    [
        ("login", ("Email", "", 1)),
        ("payment", ("Direct", "", 0)),
        ("sign-in", ("Referral", "news.example", 1)),
        ("hosts", ("Direct", "https://my-shop.example/my-shop.example", 0)),
        ("bought", ("Paid Search", "", 1)),
    ],
)
def test_a_visit_came_from_where_its_entry_says(told: Builder, tenant: str, expected: tuple[str, str, int]) -> None:
    found = sessions(told, tenant, "channel, concat(entry_referrer, entry_referring_domain), is_touch")
    assert found == [expected]


def test_a_conversion_after_the_payment_page_is_nobodys_referral(told: Builder) -> None:
    found = rows(told, "select channel from attribution_credit where tenant_id = 'payment' and model = 'first'")
    assert found == [("Direct",)]


def test_campaign_and_click_of_a_session_are_those_of_its_first_event_with_any(told: Builder) -> None:
    columns = "utm_source, utm_medium, toString(click_ids), channel"
    assert sessions(told, "campaigns", columns) == [("news", "", "{}", "Other")]
    assert sessions(told, "clicks", columns) == [("", "", "{'fbclid':'f'}", "Organic Social")]
