import hashlib
import hmac
import stat
from dataclasses import replace

import pytest
from pydantic import SecretStr

from warehouse import tracking_key
from warehouse.connection import Warehouse
from warehouse.errors import UsageError


@pytest.fixture
def with_raw(warehouse: Warehouse) -> Warehouse:
    with warehouse.client() as client:
        names = {"db": warehouse.settings.raw_database}
        client.command("CREATE DATABASE {db:Identifier}", parameters=names)
        client.command(
            "CREATE TABLE {db:Identifier}.tracking_key (inner String, outer String) ENGINE = MergeTree ORDER BY ()",
            parameters=names,
        )
    return warehouse


def with_secret(warehouse: Warehouse, secret: str) -> Warehouse:
    return replace(warehouse, settings=warehouse.settings.model_copy(update={"secret": SecretStr(secret)}))


def hmac_in_sql(warehouse: Warehouse, message: str) -> str:
    with warehouse.client() as client:
        return str(
            client.command(
                "SELECT lower(hex(SHA256(concat(outer, SHA256(concat(inner, {message:String}))))))"
                " FROM {db:Identifier}.tracking_key",
                parameters={"db": warehouse.settings.raw_database, "message": message},
            )
        )


@pytest.mark.parametrize("secret", ["a secret of some length", "much longer than one block " * 4, "ключ" * 8])
def test_sql_over_the_key_blocks_gives_hmac_sha256(with_raw: Warehouse, secret: str) -> None:
    warehouse = with_secret(with_raw, secret)
    tracking_key.store(warehouse)
    message = "tenant\0person é"
    assert hmac_in_sql(warehouse, message) == hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def test_storing_again_changes_nothing_and_another_secret_is_reported(with_raw: Warehouse) -> None:
    first = with_secret(with_raw, "the first secret, long enough")
    assert tracking_key.store(first) is False
    before = hmac_in_sql(first, "x")
    assert tracking_key.store(first) is False
    assert hmac_in_sql(first, "x") == before
    second = with_secret(with_raw, "the second secret, long enough")
    assert tracking_key.store(second) is True
    assert hmac_in_sql(second, "x") != before


def test_a_secret_of_its_own_is_made_once_and_kept_private(with_raw: Warehouse) -> None:
    tracking_key.store(with_raw)
    kept = with_raw.settings.home / "secret"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    before = kept.read_text()
    tracking_key.store(with_raw)
    assert kept.read_text() == before


def test_the_secret_never_stands_in_a_statement(with_raw: Warehouse) -> None:
    secret = "only-in-insert-data-and-nowhere-else"
    tracking_key.store(with_secret(with_raw, secret))
    inner, _ = tracking_key.key_blocks(secret)
    with with_raw.client() as client:
        client.command("SYSTEM FLUSH LOGS query_log")
        texts = [row[0] for row in client.query("SELECT query FROM system.query_log").result_rows]
    assert not [text for text in texts if secret in text or inner.hex()[:20] in text.lower()]


def test_a_short_secret_is_refused(with_raw: Warehouse) -> None:
    with pytest.raises(UsageError, match="FOOTFALL_SECRET is shorter"):
        tracking_key.store(with_secret(with_raw, "hunter2"))
