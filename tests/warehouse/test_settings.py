from pathlib import Path

import pytest

from warehouse.errors import UsageError
from warehouse.settings import Settings, get_settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)


def test_without_a_word_it_is_the_local_warehouse_in_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = get_settings()
    assert settings.is_local
    assert settings.home == tmp_path / ".footfall"
    assert (settings.http_port, settings.tcp_port, settings.ui_port) == (8123, 9000, 3000)
    assert (settings.raw_database, settings.database, settings.next_database) == ("raw", "analytics", "analytics_next")


def test_a_host_makes_it_remote_and_the_port_follows_from_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_HOST", "clickhouse.example")
    assert not get_settings().is_local
    assert get_settings().remote_port == 8123
    monkeypatch.setenv("CLICKHOUSE_SECURE", "true")
    assert get_settings().remote_port == 8443
    monkeypatch.setenv("CLICKHOUSE_PORT", "9999")
    assert get_settings().remote_port == 9999


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLICKHOUSE_HOST", "CLICKHOUSE_PORT", "CLICKHOUSE_CLUSTER", "FOOTFALL_SECRET", "FOOTFALL_HOME"):
        monkeypatch.setenv(name, "")
    assert get_settings() == Settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CLICKHOUSE_PORT", "eight"),
        ("FOOTFALL_HTTP_PORT", "70000"),
        ("FOOTFALL_DATABASE", "my-analytics"),
        ("FOOTFALL_DATABASE", "x`; DROP DATABASE raw"),
        ("CLICKHOUSE_CLUSTER", "main"),
        ("CLICKHOUSE_SECURE", "perhaps"),
    ],
)
def test_a_value_nobody_can_use_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=variable) as caught:
        get_settings()
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("raw", "published"), [("raw", "raw"), ("analytics_next", "analytics"), ("raw", "system")])
def test_databases_must_be_three_of_our_own(monkeypatch: pytest.MonkeyPatch, raw: str, published: str) -> None:
    monkeypatch.setenv("FOOTFALL_RAW_DATABASE", raw)
    monkeypatch.setenv("FOOTFALL_DATABASE", published)
    with pytest.raises(UsageError):
        get_settings()


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "hunter2")
    monkeypatch.setenv("FOOTFALL_SECRET", "tell-nobody-this-one")
    assert "hunter2" not in repr(get_settings())
    assert "tell-nobody" not in str(get_settings())
