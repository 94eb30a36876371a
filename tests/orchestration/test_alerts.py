"""What is posted of a failed run, to a listener of our own; tests/orchestration/test_webserver.py has the sensor."""

import re
from pathlib import Path

import dagster as dg
import pytest

from orchestration.alerts import alert, post
from tests.orchestration.listener import Listener
from warehouse.settings import Settings


def test_an_alert_is_posted_as_json(listener: Listener) -> None:
    post(listener.url, {"text": "The build failed."})
    assert listener.posted == [{"text": "The build failed."}]


def test_an_address_that_does_not_take_it_is_tried_three_times_and_not_named(listener: Listener) -> None:
    listener.status = 503
    with pytest.raises(dg.Failure, match=re.escape("the address in FOOTFALL_ALERT_URL says 503")) as failure:
        post(f"{listener.url}/a-token", {})
    assert "a-token" not in str(failure.value)
    assert len(listener.posted) == 3


def test_no_secret_is_in_an_alert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "a-password")
    (tmp_path / "secret").write_text("the-key-of-the-tracking-ids\n")
    told = alert(
        Settings(home=tmp_path), "build_warehouse", "r1", "a-password and the-key-of-the-tracking-ids said no."
    )
    assert told["reason"] == "*** and *** said no."
    assert told["text"].startswith("The job build_warehouse failed: *** and *** said no. See http://127.0.0.1:")
    assert told["url"].endswith("/runs/r1")
