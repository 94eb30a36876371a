"""The texts of sql/*.sql, of which the statements of a load are put together."""

from pathlib import Path

SQL_FOLDER = Path(__file__).with_name("sql")


def sql_file(name: str) -> str:
    """The text of an SQL file, without its comments."""
    text = (SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.strip().startswith("--")).strip()
