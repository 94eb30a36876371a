"""Files that rows are appended to can be ended from outside: by who appends, or, if that one is gone, by who asks."""

import threading
from pathlib import Path

from ingest.appending import Appender, finish_open


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*/*"))


def test_who_appends_ends_the_file_when_asked(tmp_path: Path) -> None:
    appender = Appender(tmp_path)
    appender.append([b"{}"])
    assert [name[0] for name in names(tmp_path)] == ["."]
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(0.05):
            appender.rotate()

    looking = threading.Thread(target=look)
    looking.start()
    finish_open(tmp_path, 10)
    is_over.set()
    looking.join()
    (name,) = names(tmp_path)
    assert name.startswith("posted-")
    appender.append([b"{}"])
    assert len(names(tmp_path)) == 2, "and goes on with the next"
    appender.append([b"{}"])
    assert len(names(tmp_path)) == 2
    appender.close()


def test_what_a_dead_process_left_is_ended_at_once(tmp_path: Path) -> None:
    left = tmp_path / "2026-03-02" / ".posted-1.ndjson"
    left.parent.mkdir()
    left.write_bytes(b'{}\n{"unfini')
    finish_open(tmp_path, 10)
    assert names(tmp_path) == ["posted-1.ndjson"]
    assert (left.parent / "posted-1.ndjson").read_bytes() == b"{}\n"
