"""What the rules of a contract read, as expressions over the documents of a row."""

from collections.abc import Callable, Sequence
from string import Template

from ingest import paths
from ingest.contract import Contract, Rule
from ingest.documents import Documents
from ingest.narrowing import any_of
from ingest.sql_files import sql_file
from ingest.tables import EVENTS, IDS


class FieldTexts:
    """The expressions for the fields of one contract.

    `mapped` are the user's own paths, each with its alternatives; `tenant` is for rows that name none; a value of the
    contract becomes a placeholder.
    """

    def __init__(
        self,
        contract: Contract,
        documents: Documents,
        placeholder: Callable[[str | list[str]], str],
        mapped: Sequence[Sequence[paths.Path]],
        tenant: str,
    ) -> None:
        self._rules = contract.fields
        self._is_of_events = contract.table == EVENTS
        self._documents = documents
        self._placeholder = placeholder
        self._mapped = mapped
        self._tenant = tenant

    def of(self, name: str) -> str:
        """The expression for a field's text, '' if it is absent."""
        rule = self._rules.get(name)
        fallback = "{tenant:String}" if name == "tenant_id" else "''"
        if rule is None:
            return fallback
        return self._text(name, rule, fallback)

    def _text(self, name: str, rule: Rule, fallback: str = "''") -> str:
        """The expression for what a rule reads, '' if that is nothing."""
        if rule.constant is not None:
            text = self._placeholder(rule.constant)
        elif rule.first_of:
            text = _first([self._text(name, one) for one in rule.first_of], fallback)
        else:
            text = self._first_present(name, rule, fallback)
        return self._where(rule, self._worded(rule, text))

    def _where(self, rule: Rule, text: str) -> str:
        """The text in rows that the rule is for."""
        conditions = [
            f"{self._documents.text(paths.parsed(path))} IN {self._placeholder(values)}"
            for path, values in rule.where.items()
        ]
        return f"if({' AND '.join(conditions)}, {text}, '')" if conditions else text

    def _worded(self, rule: Rule, text: str) -> str:
        if rule.words:
            known, meant = self._placeholder(list(rule.words)), self._placeholder(list(rule.words.values()))
            text = f"transform({text}, {known}, {meant}, {text})"
        if rule.default:
            text = f"multiIf({text} = '', {self._placeholder(rule.default)}, {text})"
        return text

    def _first_present(self, name: str, rule: Rule, fallback: str = "''") -> str:
        """The first path at which there is something, and of ids something that does not mean nobody."""
        places = [self.place(name, paths.parsed(text), rule.without) for text in rule.from_]
        if rule.join:
            parts = [self._documents.text(paths.parsed(text)) for text in rule.join if isinstance(text, str)]
            separator = self._placeholder(rule.with_)
            joined = f", {separator}, ".join(
                self._documents.text(paths.parsed(one)) if isinstance(one, str) else self._placeholder(one.constant)
                for one in rule.join
            )
            some_absent = " OR ".join(f"{part} = ''" for part in parts)
            places = [f"if({some_absent}, '', concat({joined}, ''))"]
        if name == "tenant_id" and self._tenant:
            # whom the command names takes precedence over all but the field of that name
            own = [
                self._documents.text(path) for path in rule.all_paths if path == ("tenant_id",) or self._is_mapped(path)
            ]
            places = own
        return _first(places, fallback)

    def _is_mapped(self, path: paths.Path) -> bool:
        return any(path in alternatives for alternatives in self._mapped)

    def place(self, name: str, path: paths.Path, without: str = "") -> str:
        """The expression for what stands at a path of a field, without a beginning; of ids none that means nobody."""
        text = self._documents.text(path)
        if without:
            beginning = self._placeholder(without)
            text = f"if(startsWith({text}, {beginning}), substring({text}, length({beginning}) + 1), {text})"
        if name not in IDS or not self._is_of_events:
            return text
        return f"multiIf(match({text}, {{nobody:String}}), '', {text})"

    def object(self, name: str, mentioned: Sequence[str]) -> str:
        """The expression for a field that is a JSON object, '' if there is none.

        The rest of a row is what is not mentioned: names of the row itself.
        """
        rule = self._rules.get(name)
        if rule is None:
            return "''"
        if rule.from_:
            return _first([self._documents.text(path) for path in rule.all_paths])
        members = [
            f"JSONExtractKeysAndValuesRaw({self._documents.text(paths.parsed(text))})" for text in rule.merge
        ] + [
            Template(sql_file("raw_pairs")).substitute(text=self._documents.text(paths.parsed(text)))
            for text in rule.pairs
        ]
        if rule.rest:
            members.append(
                f"arrayFilter(pair -> pair.1 NOT IN {self._placeholder(list(mentioned))} "
                "AND pair.2 NOT IN ('null', '\"\"'), JSONExtractKeysAndValuesRaw(readable))"
            )
        all_members = members[0] if len(members) == 1 else f"arrayConcat({', '.join(members)})"
        if rule.but:
            starts = self._placeholder(rule.but)
            all_members = f"arrayFilter(pair -> NOT arrayExists(s -> startsWith(pair.1, s), {starts}), {all_members})"
        text = Template(sql_file("object")).substitute(members=all_members)
        if rule.rest:
            return text
        # nearly no row has any of them
        names = self._placeholder(any_of(last_name(path) for path in rule.all_paths))
        return f"if(multiMatchAny(readable, [{names}]), {text}, '')"


def _first(texts: Sequence[str], fallback: str = "''") -> str:
    """The first of these texts that is not empty.

    By one multiIf: a chain of `if` over members of documents takes the server two seconds for 300,000 rows.
    """
    if not texts:
        return fallback
    if len(texts) == 1 and fallback == "''":
        return texts[0]
    cases = "".join(f"{text} != '', {text}, " for text in texts)
    return f"multiIf({cases}{fallback})"


def last_name(path: paths.Path) -> str:
    """The name of what a path leads to."""
    last = path[-1]
    return last.name if isinstance(last, paths.Named) else next(str(s) for s in reversed(path) if isinstance(s, str))
