"""The secret behind tracking ids, in the shape in which SQL can use it.

ClickHouse has no HMAC function, but HMAC-SHA256 is two plain hashes over two key blocks (RFC 2104):
`SHA256(outer || SHA256(inner || message))`. The blocks are kept in a raw table of one row, so that models compute
tracking ids without the secret ever standing in SQL text, in a query log or in a compiled model.
"""

import hashlib
import secrets

from warehouse.connection import Warehouse
from warehouse.errors import UsageError
from warehouse.private_files import write_private
from warehouse.settings import Settings

_BLOCK_BYTES = 64
# Fewer characters than this can be guessed; then anybody can turn tracking ids back into user ids.
_MIN_SECRET_CHARACTERS = 16


def tracking_secret(settings: Settings) -> str:
    """The secret: FOOTFALL_SECRET, else the one that the first build made and keeps in the home; else empty.

    Raises UsageError if FOOTFALL_SECRET is too short to be one.
    """
    if settings.secret is not None:
        secret = settings.secret.get_secret_value()
        if len(secret) < _MIN_SECRET_CHARACTERS:
            raise UsageError(
                f"FOOTFALL_SECRET is shorter than {_MIN_SECRET_CHARACTERS} characters.",
                "Use a long random one, for example what `openssl rand -hex 32` prints.",
            )
        return secret
    path = settings.home / "secret"
    return path.read_text() if path.exists() else ""


def key_blocks(secret: str) -> tuple[bytes, bytes]:
    """The inner and outer key blocks of HMAC-SHA256 under this secret, 64 bytes each (RFC 2104)."""
    key = secret.encode()
    if len(key) > _BLOCK_BYTES:
        key = hashlib.sha256(key).digest()
    key = key.ljust(_BLOCK_BYTES, b"\0")
    return bytes(byte ^ 0x36 for byte in key), bytes(byte ^ 0x5C for byte in key)


def store(warehouse: Warehouse) -> bool:
    """Puts the key into `<raw>.tracking_key`, which must exist, unless it is there already; makes the first secret.

    Returns True if the key differs from the one before: then every tracking id changes, and only a full refresh
    gives the tables one meaning again. Raises UsageError for a secret that is too short.
    """
    settings = warehouse.settings
    if not tracking_secret(settings):
        write_private(settings.home / "secret", secrets.token_hex(32))
    wanted = key_blocks(tracking_secret(settings))
    names = {"db": settings.raw_database}
    with warehouse.client() as client:
        # As hex: the blocks are bytes, and the driver reads strings as text.
        stored = client.query(
            "SELECT hex(inner), hex(outer) FROM {db:Identifier}.tracking_key", parameters=names
        ).result_rows
        if stored == [tuple(block.hex().upper() for block in wanted)]:
            return False
        # As insert data, never in the SQL text: statements are logged, data is not.
        client.command("TRUNCATE TABLE {db:Identifier}.tracking_key", parameters=names)
        client.insert(
            "tracking_key", [wanted], column_names=["inner", "outer"], database=settings.raw_database,
            column_type_names=["String", "String"],
        )  # fmt: skip
        return bool(stored)
