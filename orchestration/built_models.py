"""`<raw>.built_models`: what each model was made of, for every state of the project that a build began with.

Rows are never changed. The journal of publishing names the state that the published tables were built with, so what is
known of them changes with the swap itself, and goes back with a rollback.
"""

import orjson

from orchestration.fingerprints import fingerprint
from warehouse.connection import Warehouse

# name of a model to name of a part to its fingerprint
Parts = dict[str, dict[str, str]]

_CREATE = """
CREATE TABLE IF NOT EXISTS {raw:Identifier}.built_models
(
    project_hash String COMMENT 'The state of the project, as in the build log',
    model        String COMMENT 'The table or view; * for what holds for all of them',
    parts        Map(String, String) COMMENT 'What it was made of, and a fingerprint of each part'
)
ENGINE = ReplacingMergeTree
ORDER BY (project_hash, model)
COMMENT 'What each model was made of: what differs from it is rebuilt'
"""


def project_hash(parts: Parts) -> str:
    """The fingerprint of the whole project."""
    return fingerprint(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS))


def store(warehouse: Warehouse, parts: Parts) -> None:
    """Write down this state of the project, unless it is known; call it before anything is built with it."""
    known = project_hash(parts)
    if load(warehouse, known):
        return
    raw = warehouse.settings.raw_database
    with warehouse.client() as client:
        client.command(_CREATE, parameters={"raw": raw})
        client.insert(
            "built_models",
            [[known, model, of_model] for model, of_model in parts.items()],
            column_names=["project_hash", "model", "parts"],
            database=raw,
        )


def load(warehouse: Warehouse, known: str) -> Parts:
    """That state of the project; empty if nothing is known of it."""
    raw = warehouse.settings.raw_database
    if not known or not warehouse.has_table(raw, "built_models"):
        return {}
    with warehouse.client() as client:
        rows = client.query(
            "SELECT model, parts FROM {raw:Identifier}.built_models FINAL WHERE project_hash = {hash:String}",
            parameters={"raw": raw, "hash": known},
        ).result_rows
    return {model: dict(parts) for model, parts in rows}
