"""The tables of docs/event-contract.md; `python -m ingest.contract_tables` makes them again from the contracts."""

import re
from collections.abc import Iterable
from pathlib import Path

from ingest.contract import BUNDLED, GENERAL, Contract, Rule, read
from ingest.tables import CLICK_IDS

PAGE = Path(__file__).parents[1] / "docs" / "event-contract.md"

_PER_VISITOR = {True: "with the visitor's id", "if_time": "if it is a time, with the visitor's id", False: ""}
_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def written(page: str) -> str:
    """The page with each table made again that stands between `<!-- table: name -->` and `<!-- end -->`."""
    tables = all_tables()

    def made_again(found: re.Match[str]) -> str:
        return f"{found[1]}\n{tables[found[2]]}\n{found[3]}"

    return re.sub(r"(<!-- table: ([a-z]+) -->)\n.*?(<!-- end -->)", made_again, page, flags=re.DOTALL)


def all_tables() -> dict[str, str]:
    """Each table of the page by its name."""
    contracts = {file.stem: read(file) for file in sorted(BUNDLED.glob("*.yml"))}
    others = [contract for contract in contracts.values() if contract.recognised_by]
    return {
        "contracts": _table(
            ("name", "what it reads", "a row is recognised by"),
            ((f"`{c.name}`", f"[{c.title}]({c.documentation})", signatures(c)) for c in others),
        ),
        "form": _table(
            ("part of a field", "what it does"),
            ((f"`{field.alias or name}`", str(field.description)) for name, field in Rule.model_fields.items()),
        ),
        "general": fields(contracts[GENERAL]),
        "trackers": "\n\n".join(f"### {c.name}\n\n{c.title}.\n\n{fields(c)}" for c in others),
    }


def signatures(contract: Contract) -> str:
    """What a row is recognised by, as one line."""
    return " or ".join(" + ".join(f"`{path}`" for path in one) for one in contract.recognised_by)


def fields(contract: Contract) -> str:
    """Where each field is read from; the click ids in one row."""
    rows = {name: _said(rule) for name, rule in contract.fields.items() if name not in CLICK_IDS}
    clicks = [_said(rule) for name, rule in contract.fields.items() if name in CLICK_IDS]
    if clicks:
        rows["click ids"] = " · ".join(clicks)
    return _table(("field", "read from, best first"), rows.items())


def _said(rule: Rule) -> str:
    """A rule in words."""
    where = " and ".join(f"`{path}` is {' or '.join(f'`{v}`' for v in values)}" for path, values in rule.where.items())
    notes = [
        f"in {_UNITS[rule.unit]}" if rule.unit else "",
        "of local time" if rule.local else "",
        f"without `{rule.without}` at the beginning" if rule.without else "",
        ", ".join(f"`{sent}` is {f'`{meant}`' if meant else 'absent'}" for sent, meant in rule.words.items()),
        f"where {where}" if where else "",
        f"else `{rule.default}`" if rule.default else "",
        _PER_VISITOR[rule.per_visitor],
    ]
    return "; ".join([_source(rule), *filter(None, notes)])


def _source(rule: Rule) -> str:
    """Where a rule's value comes from."""
    if rule.constant is not None:
        return f"always `{rule.constant}`"
    if rule.first_of:
        return ", else ".join(_source(one) for one in rule.first_of)
    if rule.join:
        joined = " ".join(f"`{one}`" if isinstance(one, str) else f"`'{one.constant}'`" for one in rule.join)
        return f"{joined}, joined by `{rule.with_}`" if rule.with_ else f"{joined}, joined"
    listed = [f"`{path}`" for path in (*rule.from_, *rule.merge)] + [f"the pairs of `{path}`" for path in rule.pairs]
    if rule.rest:
        listed.append("all that no path mentions")
    but = f", but for {', '.join(f'`{start}…`' for start in rule.but)}" if rule.but else ""
    return (" and " if rule.is_object else ", ").join(listed) + but


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines).replace("| --- ", "|---").replace("--- |", "---|")


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
