"""`footfall docs`: dbt's documentation of the published tables, as one page that needs no network."""

import shutil
import subprocess
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cli.console import err, out, progress
from warehouse.connection import connect
from warehouse.errors import FootfallError
from warehouse.settings import Settings, get_settings


def run_docs(folder: Path | None) -> None:
    """Write the page into the folder as index.html; without one, serve it on 127.0.0.1 until Ctrl-C (or SIGTERM).

    Raises FootfallError if dbt cannot make it.
    """
    settings = get_settings()
    with progress(err(), "Writing the docs…"):
        page = _generate(settings)
    if folder is None:
        _serve(page)
        return
    folder.mkdir(parents=True, exist_ok=True)
    out().print(f"Docs       {shutil.copyfile(page, folder / 'index.html')}")


def _generate(settings: Settings) -> Path:
    from orchestration.project import artifacts_dir, dbt_command, environment, project_dir

    # A target of its own: parsed for the published database, it would undo the partial parse of the builds.
    target = artifacts_dir(settings) / "docs"
    with connect(settings) as warehouse:
        generate = subprocess.run(
            [*dbt_command(), "--quiet", "docs", "generate", "--static"],
            env={
                **environment(settings, project_dir(), warehouse.environment()),
                "DBT_TARGET_PATH": str(target),
                "FOOTFALL_DBT_SCHEMA": settings.database,
            },
            capture_output=True,
            text=True,
            check=False,
        )
    if generate.returncode != 0:
        raise FootfallError(
            f"dbt could not write the docs:\n{(generate.stdout or generate.stderr).strip()}",
            "Fix it and try again.",
        )
    site = target / "site"
    site.mkdir(exist_ok=True)
    return (target / "static_index.html").replace(site / "index.html")


def _serve(page: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(page.parent))) as server:
        out().print(f"Docs       http://127.0.0.1:{server.server_port}")
        out().print("Ctrl-C ends it.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            err().print("Stopped.")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""
