import pytest

from benchmarks.single_pass import QUERIES, ratio


def test_ratio_is_ours_over_theirs() -> None:
    assert ratio(3.0, 2.0) == 1.5
    with pytest.raises(ValueError, match="no time"):
        ratio(1.0, 0.0)


def test_every_mart_that_is_computed_has_its_yardstick() -> None:
    assert {path.stem for path in QUERIES.glob("*.sql")} == {
        *("events", "identities", "users", "user_days", "events_hourly", "sessions", "session_stats_daily"),
        *("user_attribution", "attribution_credit", "funnel_events", "funnel_conversions_daily", "retention"),
    }
