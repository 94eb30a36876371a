from pathlib import Path

import sqlalchemy

from orchestration.sqlite_commits import do_not_wait_for_the_disk


def test_commits_to_sqlite_do_not_wait_for_the_disk(tmp_path: Path) -> None:
    do_not_wait_for_the_disk()
    with sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'runs.db'}").connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
