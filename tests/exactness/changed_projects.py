"""Changes of a copy of the dbt project, made to hit every way in which a table can come to say something else."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# The model that docs/operations.md shows, with its description.
_NEW_MART = {
    "models/marts/people/purchase_days.sql": """
{{ config(order_by=['tenant_id', 'user_id']) }}
{% set changed = follow('changed_user_days', ['tenant_id', 'user_id']) %}
-- One row per person who ever bought something.
select
    tenant_id,
    user_id,
    countIf(revenue > 0) as purchase_days_count,
    {{ build_seq() }} as _build_seq
from {{ ref('user_days') }}
where
    1
    {{ changed }}
group by tenant_id, user_id
having purchase_days_count > 0
""",
    "models/marts/people/purchase_days.yml": """
version: 2
models:
  - name: purchase_days
    description: One row per person who ever bought something.
    data_tests:
      - unique_key:
          arguments:
            columns: [tenant_id, user_id]
""",
}


@dataclass(frozen=True)
class Edit:
    """Words in a file of the project, and what they become; done a second time it is undone."""

    file: str
    words: str
    others: str

    def toggle(self, project: Path) -> None:
        """Do it or undo it. Raises AssertionError if the file, of that name in any folder, has neither."""
        (path,) = project.rglob(self.file)
        text = path.read_text()
        before, after = (self.others, self.words) if self.others in text else (self.words, self.others)
        assert before in text, f"{self.file} does not say {self.words!r}"
        path.write_text(text.replace(before, after))


EDITS = [
    # vars, of many models and of one
    Edit("dbt_project.yml", "session_timeout_minutes: 30\n", "session_timeout_minutes: 10\n"),
    Edit("dbt_project.yml", "bounce_seconds: 10\n", "bounce_seconds: 1\n"),
    Edit("dbt_project.yml", "retention_max_days: 90\n", "retention_max_days: 5\n"),
    Edit("dbt_project.yml", "attribution_window_days: 30\n", "attribution_window_days: 2\n"),
    Edit("dbt_project.yml", "default_funnel_window_seconds: 1209600\n", "default_funnel_window_seconds: 3600\n"),
    # macros
    Edit("attribution.sql", "{{ touches_count }} <= 2, 1", "{{ touches_count }} <= 3, 1"),
    Edit("channels.sql", "position(medium, 'video') > 0, 'Organic Social'", "medium != '', 'Email'"),
    # seeds, of which one reaches nearly everything
    Edit("conversion_events.csv", ",*,1\n", ",*,1\n,signup,0\n"),
    Edit("nobody_ids.csv", "undefined\n", "undefined\na4\n"),
    Edit("funnel_definitions.csv", "ordered", "unordered"),
    # the SQL of a mart, and of a table of state
    Edit("events_hourly.sql", "uniqExactIf(identities.user_id,", "uniqExactIf(counts.distinct_id,"),
    Edit("int_conversions.sql", "    event,\n    revenue,\n    {{", "    lower(event) as event,\n    revenue,\n    {{"),
    # how tables are stored
    Edit("user_days.sql", "order_by=['tenant_id', 'user_id', 'date']", "order_by=['tenant_id', 'date', 'user_id']"),
    Edit("identities.sql", "'index_granularity': 1024", "'index_granularity': 512"),
]  # fmt: skip


def copy_of(project: Path, folder: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(project, folder, ignore=shutil.ignore_patterns("target", "logs", ".*")))


def change(project: Path, rng: random.Random) -> list[str]:
    """Change a few things and say which: what tables say, which there are, or only how a model is written."""
    return [_one_change(project, rng) for _ in range(rng.randint(1, 3))]


def _one_change(project: Path, rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.5:
        edit = rng.choice(EDITS)
        edit.toggle(project)
        return f"{edit.file}: {edit.words.strip()}"
    if kind < 0.65:
        for file, text in _NEW_MART.items():
            path = project / file
            if path.exists():
                path.unlink()
            else:
                path.write_text(text.lstrip())
        return "purchase_days"
    touched = rng.choice(sorted(models(project)))
    touch(touched)
    return touched.stem


def models(project: Path) -> Iterator[Path]:
    """The files of all models."""
    return (project / "models").rglob("*.sql")


def touch(model: Path) -> None:
    """Change how a model is written, and nothing that it says."""
    with model.open("a") as file:
        file.write("{% set touched = 1 %}\n")
