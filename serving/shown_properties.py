"""Which properties are shown where no internal id may be."""

from pathlib import Path

import yaml

from warehouse.errors import UsageError
from warehouse.settings import Settings

_BUNDLED = Path(__file__).with_name("shown_properties.yml")


def shown_properties(settings: Settings) -> list[str]:
    """The names of the home's shown_properties.yml, else of the bundled one. Raises UsageError if it is no list."""
    own = settings.home / _BUNDLED.name
    path = own if own.exists() else _BUNDLED
    names = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise UsageError(f"{path} is no list of names.", "Write one name of a property in a line: - $browser")
    return names
