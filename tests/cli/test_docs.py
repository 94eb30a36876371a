"""`footfall docs`."""

import re
import signal
import subprocess
import sys
import urllib.request

from tests.cli.conftest import ROOT, environment_of
from warehouse.connection import Warehouse


def test_the_page_is_served_until_ctrl_c_names_published_tables_and_loads_nothing(warehouse: Warehouse) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "cli.main", "docs"],
        cwd=ROOT, env=environment_of(warehouse), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as docs:  # fmt: skip
        assert docs.stdout
        url = docs.stdout.readline().split()[-1]
        with urllib.request.urlopen(url) as response:
            page = response.read().decode()
        docs.send_signal(signal.SIGINT)
        assert docs.wait(timeout=30) == 0
    assert url.startswith("http://127.0.0.1:")
    assert "# The tables of this warehouse" in page
    database = warehouse.settings.database
    assert f'"`{database}`.`sessions`"' in page
    assert f'"`{warehouse.settings.next_database}`.`sessions`"' not in page
    assert f'"`{warehouse.settings.next_database}`.`changed_users`"' in page
    assert re.findall(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^\s>]+", page) == []
