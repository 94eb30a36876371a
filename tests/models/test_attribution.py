"""Attribution: every sentence of the rule by hand, then any touches at all against the rule in plain Python."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.models.macros import macro
from warehouse.connection import Warehouse

WINDOW = timedelta(days=30)
HALF_LIFE = timedelta(days=7)
MAX_TOUCHES = 5
NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
MODELS = ["first", "last", "linear", "position", "time_decay"]

# (time of the conversion, revenue)
Conversion = tuple[datetime, Decimal | None]
# (model, session id) -> (credit, credited revenue)
Shares = dict[tuple[str, str], tuple[float, Decimal | None]]


def credits_of(converted_at: datetime, touches: list[tuple[datetime, str]]) -> dict[tuple[str, str], float]:
    """The rule, sentence by sentence."""
    counted = sorted(touch for touch in touches if timedelta(0) <= converted_at - touch[0] <= WINDOW)
    counted = counted[:1] + counted[1:][1 - MAX_TOUCHES :]
    if not counted:
        return {(model, ""): 1.0 for model in MODELS}
    number = len(counted)
    decayed = [0.5 ** ((converted_at - at) / HALF_LIFE) for at, _ in counted]
    between = [0.2 / (number - 2)] * (number - 2) if number > 2 else []
    shares = {
        "first": [1.0] + [0.0] * (number - 1),
        "last": [0.0] * (number - 1) + [1.0],
        "linear": [1 / number] * number,
        "position": [1.0] if number == 1 else [0.5, 0.5] if number == 2 else [0.4, *between, 0.4],
        "time_decay": [share / sum(decayed) for share in decayed],
    }
    return {
        (model, session): share
        for model, parts in shares.items()
        for (_, session), share in zip(counted, parts, strict=True)
        if share > 0
    }


@pytest.fixture(scope="module")
def client(server: Warehouse) -> Iterator[Client]:
    with server.client() as client:
        client.command("create database attribution_rule")
        client.command(
            "create table attribution_rule.conversions (tenant_id String, user_id String,"
            " conversion_at DateTime64(6, 'UTC'), conversion_event_id String, revenue Nullable(Decimal(38, 6)))"
            " engine = Memory"
        )
        client.command(
            "create table attribution_rule.touches (tenant_id String, user_id String,"
            " session_start DateTime64(6, 'UTC'), session_id String, channel String) engine = Memory"
        )
        yield client
        client.command("drop database attribution_rule sync")


@pytest.fixture(scope="module")
def warehouse_shares(client: Client) -> Callable[..., list[Shares]]:
    """Runs the very SQL of `attribution_credit` on one person's conversions and touches: shares per conversion."""
    shares = macro(
        "attribution.sql",
        "attribution_shares",
        "attribution_rule.conversions",
        ["revenue"],
        "attribution_rule.touches",
        ["channel"],
        attribution_window_days=30,
        attribution_half_life_days=7,
        attribution_max_touches=MAX_TOUCHES,
    )
    revenue = macro("attribution.sql", "credited_revenue", "revenue", "weight", "running_weight", "total_weight")
    query = (
        "select tenant_id, user_id, conversion_event_id, model, session_id, channel, weight / total_weight as credit,"
        f" {revenue} as credited_revenue from ({shares})"
    )

    def found(conversions: list[Conversion], touches: list[tuple[datetime, str]]) -> list[Shares]:
        client.command("truncate table attribution_rule.conversions")
        client.command("truncate table attribution_rule.touches")
        client.insert(
            "attribution_rule.conversions",
            # somebody else, and a namesake of another tenant, converted as well
            [["t", "ann", at, f"e{number}", revenue] for number, (at, revenue) in enumerate(conversions)]
            + [["t", "bob", NOON, "b", None], ["other", "ann", NOON, "o", None]],
        )
        if touches:
            client.insert("attribution_rule.touches", [["t", "ann", at, session, "Email"] for at, session in touches])
        per_event: dict[str, Shares] = defaultdict(dict)
        for tenant, user, event, model, session, channel, credit, credited in client.query(query).result_rows:
            assert (model, session) not in per_event[tenant + user + event]
            assert channel == ("Email" if session else "")
            per_event[tenant + user + event][model, session] = (credit, credited)
        for untouched in ("tbobb", "otheranno"):
            assert per_event.pop(untouched) == {(model, ""): (1.0, None) for model in MODELS}
        assert set(per_event) == {f"tanne{number}" for number in range(len(conversions))}
        return [per_event[f"tanne{number}"] for number in range(len(conversions))]

    return found


def days_before(days: float) -> datetime:
    return NOON - timedelta(days=days)


def credits(shares: Shares, model: str) -> dict[str, float]:
    return {session: pytest.approx(credit) for (of, session), (credit, _) in shares.items() if of == model}


def test_first_and_last_take_all(warehouse_shares: Callable[..., list[Shares]]) -> None:
    [shares] = warehouse_shares([(NOON, None)], [(days_before(3), "b"), (days_before(9), "a"), (days_before(1), "c")])
    assert credits(shares, "first") == {"a": 1}
    assert credits(shares, "last") == {"c": 1}


def test_linear_shares_evenly(warehouse_shares: Callable[..., list[Shares]]) -> None:
    [shares] = warehouse_shares([(NOON, None)], [(days_before(day), f"s{day}") for day in range(4)])
    assert credits(shares, "linear") == {f"s{day}": 0.25 for day in range(4)}


def test_position_gives_40_20_40(warehouse_shares: Callable[..., list[Shares]]) -> None:
    touches = [(days_before(day), f"s{day}") for day in range(4)]
    [four] = warehouse_shares([(NOON, None)], touches)
    assert credits(four, "position") == {"s3": 0.4, "s2": 0.1, "s1": 0.1, "s0": 0.4}
    [two] = warehouse_shares([(NOON, None)], touches[:2])
    assert credits(two, "position") == {"s1": 0.5, "s0": 0.5}
    [one] = warehouse_shares([(NOON, None)], touches[:1])
    assert credits(one, "position") == {"s0": 1}


def test_time_decay_halves_every_seven_days(warehouse_shares: Callable[..., list[Shares]]) -> None:
    [shares] = warehouse_shares([(NOON, None)], [(days_before(day), f"s{day}") for day in (0, 7, 14)])
    assert credits(shares, "time_decay") == {"s0": 4 / 7, "s7": 2 / 7, "s14": 1 / 7}


def test_touches_count_from_30_days_before_to_the_moment_itself(warehouse_shares: Callable[..., list[Shares]]) -> None:
    moment = timedelta(microseconds=1)
    [shares] = warehouse_shares(
        [(NOON, None)],
        [
            (days_before(30), "on the edge"),
            (days_before(30) - moment, "before"),
            (NOON, "now"),
            (NOON + moment, "after"),
        ],
    )
    assert credits(shares, "linear") == {"on the edge": 0.5, "now": 0.5}


def test_touches_at_one_time_go_by_session_id(warehouse_shares: Callable[..., list[Shares]]) -> None:
    [shares] = warehouse_shares([(NOON, None)], [(NOON, "b"), (NOON, "a")])
    assert credits(shares, "first") == {"a": 1}
    assert credits(shares, "last") == {"b": 1}


def test_of_many_touches_the_first_and_the_latest_count(warehouse_shares: Callable[..., list[Shares]]) -> None:
    touches = [(days_before(40), "too early"), *((days_before(day), f"s{day:02}") for day in range(MAX_TOUCHES + 3))]
    [many, enough] = warehouse_shares([(NOON, None), (days_before(3), None)], touches)
    counted = [f"s{MAX_TOUCHES + 2:02}", *(f"s{day:02}" for day in reversed(range(MAX_TOUCHES - 1)))]
    assert credits(many, "linear") == dict.fromkeys(counted, 1 / MAX_TOUCHES)
    assert credits(many, "first") == {counted[0]: 1}
    assert credits(many, "last") == {counted[-1]: 1}
    between = 0.2 / (MAX_TOUCHES - 2)
    assert credits(many, "position") == {
        session: 0.4 if session in (counted[0], counted[-1]) else between for session in counted
    }
    assert set(credits(enough, "linear")) == {f"s{day:02}" for day in range(3, MAX_TOUCHES + 3)}


def test_a_conversion_without_touches_is_nobodys(warehouse_shares: Callable[..., list[Shares]]) -> None:
    [shares] = warehouse_shares([(NOON, Decimal(5))], [(days_before(31), "too early")])
    assert shares == {(model, ""): (1.0, Decimal(5)) for model in MODELS}


def exact_sum(parts: Iterable[Decimal | None]) -> Decimal:
    """Python rounds a sum to 28 digits unless told otherwise."""
    with localcontext(prec=60):
        return sum((part for part in parts if part is not None), Decimal(0))


def test_revenue_is_shared_to_the_last_millionth(warehouse_shares: Callable[..., list[Shares]]) -> None:
    touches = [(days_before(day), f"s{day}") for day in range(3)]
    # the largest amount that a column holds
    large, refund = Decimal("99999999999999999999999999999999.999999"), Decimal("-10")
    for shares, revenue in zip(
        warehouse_shares([(NOON, large), (NOON, refund)], touches), (large, refund), strict=True
    ):
        for model in MODELS:
            assert exact_sum(part for (of, _), (_, part) in shares.items() if of == model) == revenue


TIMES = st.datetimes(datetime(2026, 1, 1), datetime(2026, 5, 1), timezones=st.just(UTC))
# whole weeks, so that the edges of the window and of its stretches are met
WEEKS = st.integers(0, 40).map(lambda number: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number * 3))


@given(
    converted=st.lists(st.tuples(TIMES | WEEKS, st.none() | st.decimals(-10, 10**6, places=2)), max_size=4),
    touched=st.lists(TIMES | WEEKS, max_size=12),
)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_touches_at_all(
    warehouse_shares: Callable[..., list[Shares]], converted: list[Conversion], touched: list[datetime]
) -> None:
    touches = [(at, f"s{number:02}") for number, at in enumerate(touched)]
    for (at, revenue), shares in zip(converted, warehouse_shares(converted, touches), strict=True):
        expected = credits_of(at, touches)
        assert {key: credit for key, (credit, _) in shares.items()} == pytest.approx(expected)
        for model in MODELS:
            parts = [(credit, part) for (of, _), (credit, part) in shares.items() if of == model]
            assert sum(credit for credit, _ in parts) == pytest.approx(1)
            if revenue is None:
                assert {part for _, part in parts} == {None}
            else:
                assert sum(part for _, part in parts) == revenue
                assert all(abs(float(part) - credit * float(revenue)) < 1e-5 for credit, part in parts)
