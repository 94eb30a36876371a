"""Where the warehouse is and where local state lives: everything comes from the environment."""

import os
import re
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from warehouse.errors import UsageError

# Database names reach DDL as quoted identifiers and file names as they are, hence the narrow alphabet.
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
# Databases that ClickHouse keeps for itself.
_RESERVED = {"default", "system", "information_schema"}


class Settings(BaseSettings):
    """The settings of one command; every field is named after the environment variable it is read from."""

    # The prefix also keeps HOME, USER and HOST of the shell from being taken for fields of these names.
    model_config = SettingsConfigDict(
        env_prefix="FOOTFALL_", env_ignore_empty=True, populate_by_name=True, extra="ignore", frozen=True
    )

    home: Path = Path(".footfall")
    host: str | None = Field(None, validation_alias="CLICKHOUSE_HOST")
    port: int | None = Field(None, validation_alias="CLICKHOUSE_PORT", ge=1, le=65535)
    user: str = Field("default", validation_alias="CLICKHOUSE_USER")
    password: SecretStr = Field(SecretStr(""), validation_alias="CLICKHOUSE_PASSWORD")
    secure: bool = Field(False, validation_alias="CLICKHOUSE_SECURE")
    http_port: int = Field(8123, ge=1, le=65535)
    tcp_port: int = Field(9000, ge=1, le=65535)
    ui_port: int = Field(3000, ge=1, le=65535)
    api_port: int = Field(8000, ge=1, le=65535)
    api_rate: str = Field("100/second", pattern=r"^[1-9][0-9]{0,6}/(second|minute|hour)$")
    raw_database: str = "raw"
    database: str = "analytics"
    secret: SecretStr | None = None

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("raw_database", "database")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not _IDENTIFIER.fullmatch(name):
            raise ValueError(f"{name!r} is not a plain name (letters, digits and underscores)")
        return name

    @model_validator(mode="after")
    def _databases_differ(self) -> Self:
        names = (self.raw_database, self.database, self.next_database)
        if len(set(names)) != len(names):
            raise ValueError("raw, published and work-in-progress ('<published>_next') databases must differ")
        for name in names:
            if name.lower() in _RESERVED:
                raise ValueError(f"the database {name!r} belongs to ClickHouse itself")
        return self

    @property
    def next_database(self) -> str:
        """The work-in-progress database: dbt builds here, people never read here."""
        return f"{self.database}_next"

    @property
    def is_local(self) -> bool:
        """True if Footfall runs the server itself, out of `home`; False if CLICKHOUSE_HOST names one."""
        return self.host is None

    @property
    def remote_port(self) -> int:
        """The HTTP port of the server that `host` names: CLICKHOUSE_PORT, else ClickHouse's usual ones."""
        return self.port or (8443 if self.secure else 8123)


def get_settings() -> Settings:
    """Settings read afresh from the environment.

    Raises UsageError that names the variables whose values cannot be used.
    """
    if os.environ.get("CLICKHOUSE_CLUSTER"):
        raise UsageError(
            "CLICKHOUSE_CLUSTER is no longer supported: Footfall works on one server (ON CLUSTER made empty clones).",
            "Unset it; CLICKHOUSE_HOST names the server.",
        )
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(_problem(item["loc"], item["msg"]) for item in error.errors())
        raise UsageError(f"The environment holds settings Footfall cannot use: {problems}.") from None


def _problem(location: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not location:
        return message
    name = str(location[0])
    return f"{'FOOTFALL_' + name.upper() if name in Settings.model_fields else name}: {message}"
