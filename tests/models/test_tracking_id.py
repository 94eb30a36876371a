"""Two people never have one tracking id, whatever is in the ids of tenants and users."""

import hashlib
import hmac
from itertools import product

from tests.models.macros import macro
from warehouse import tracking_key
from warehouse.connection import Warehouse

SECRET = b"a secret of some length"
# NULs, digits and letters in every order: whatever stands between tenant and user stands in one of them as well.
WORDS = ["".join(letters) for length in range(4) for letters in product("\0" + "1a", repeat=length)]


def tracking_ids(warehouse: Warehouse) -> dict[tuple[str, str], str]:
    with warehouse.client() as client:
        inner, outer = (block.hex() for block in tracking_key.key_blocks(SECRET.decode()))
        rows = client.query(
            "WITH tracking_key AS (SELECT unhex({inner:String}) AS `inner`, unhex({outer:String}) AS `outer`)"
            f" SELECT tenant, user, {macro('tracking_id.sql', 'tracking_id', 'tenant', 'user')}"
            " FROM (SELECT unhex(arrayJoin({tenants:Array(String)})) AS tenant) AS tenants"
            " CROSS JOIN (SELECT unhex(arrayJoin({users:Array(String)})) AS user) AS users",
            parameters={
                "inner": inner,
                "outer": outer,
                "tenants": [word.encode().hex() for word in WORDS if word],
                "users": [word.encode().hex() for word in WORDS],
            },
        ).result_rows
    return {(tenant, user): tracking_id for tenant, user, tracking_id in rows}


def test_a_tracking_id_is_one_persons(server: Warehouse) -> None:
    found = tracking_ids(server)
    assert len(found) == len(set(found.values())) == (len(WORDS) - 1) * len(WORDS)


def test_ids_without_a_nul_are_hashed_with_one_between_them(server: Warehouse) -> None:
    for (tenant, user), tracking_id in tracking_ids(server).items():
        if "\0" not in tenant + user:
            assert tracking_id == hmac.new(SECRET, f"{tenant}\0{user}".encode(), hashlib.sha256).hexdigest()
