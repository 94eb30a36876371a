"""The table of endpoints in docs/serving.md; `python -m serving.endpoint_table` makes it again from the files."""

import re
from pathlib import Path

from serving.pipes import Parameter, pipes

PAGE = Path(__file__).parent.parent / "docs" / "serving.md"


def with_table(page: str) -> str:
    """The page with the table made again that stands between `<!-- pipes -->` and `<!-- end -->`."""
    rows = [
        f"| `{pipe.name}` | {', '.join(_told(name, one) for name, one in pipe.parameters.items())} | {pipe.description}"
        f" {', '.join(f'`{column}`' for column in pipe.columns)} |"
        for pipe in pipes().values()
    ]
    table = "\n".join(["| endpoint | parameters | returns |", "|---|---|---|", *rows])
    return re.sub(
        r"(<!-- pipes -->)\n.*?(<!-- end -->)", lambda found: f"{found[1]}\n{table}\n{found[2]}", page, flags=re.DOTALL
    )


def _told(name: str, parameter: Parameter) -> str:
    if parameter.required:
        return f"`{name}` (required)"
    return f"`{name}={parameter.default}`" if parameter.default is not None else f"`{name}`"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
