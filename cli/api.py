"""`footfall api`: the HTTP service in the foreground, until Ctrl-C."""

from cli.console import err, out
from ingest import raw_tables
from warehouse import access_apply, ports
from warehouse.connection import connect
from warehouse.lock import exclusive
from warehouse.settings import get_settings


def run_api() -> None:
    """Serve until Ctrl-C; raises FootfallError if the port is taken or the warehouse has no users for it."""
    import uvicorn

    from serving.app import create_app

    settings = get_settings()
    ports.require_free(settings.api_port, "the API", "Set FOOTFALL_API_PORT to a free port.")
    with connect(settings) as warehouse:
        raw_tables.create(warehouse)
        if settings.is_local and access_apply.is_outdated(warehouse):
            with exclusive(warehouse, "access apply"):
                access_apply.apply(warehouse)
        app = create_app(warehouse, settings.api_rate)
        out().print(f"API  http://127.0.0.1:{settings.api_port}  (its description: /docs)")
        out().print("Ctrl-C ends it.")
        # Addresses may hold a key (?token=), so none is logged; calls are in raw.api_calls.
        uvicorn.run(app, host="127.0.0.1", port=settings.api_port, log_level="warning", access_log=False)
        err().print("Stopped.")
