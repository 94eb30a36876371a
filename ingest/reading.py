"""The statement that reads rows by a contract: the rules of sql/*.sql with the contract's paths put in.

What depends on the contract (which element of a parsed row is which field) is worked out here and put in place of the
`$markers` of the SQL: places and our own field names only. Names, words and values of the contract, of files and of
options travel as query parameters.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from string import Template

import orjson

from ingest import moments, nobody, paths, raw_tables
from ingest.contract import Contract, Rule, meaning, signatures
from ingest.documents import Documents, Parameters
from ingest.field_texts import FieldTexts, last_name
from ingest.narrowing import any_of
from ingest.sql_files import sql_file
from ingest.tables import CLICK_IDS, EVENTS, MOMENTS, OBJECTS, TABLES, UTMS

# The host in an address that ClickHouse's domain() takes for none: localhost, or behind a name and password.
HOST_OF_URL = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)"

# Referrers that say nothing, in lower case: words for none, blank pages, and pages inside an app.
NO_REFERRER = (
    r"^\s*(?:-|null|undefined|nan|none|nil|n/a|\$?direct|\(direct\)|\(none\)|\(not set\)|about:.*"
    r"|(?:app|capacitor|ionic|file|content|data|blob|javascript):.*)\s*$"
)

# A session id that looks like the Unix time of its start, from 2001 to 2033, in seconds, milli- or microseconds.
SESSION_TIME = "^1[0-9]{9}([0-9]{3}){0,2}$"

# The tracker of a row that a statement leaves for the one that looks for everything.
LEFT = "(left)"


@dataclass(frozen=True)
class Statement:
    """An INSERT, and its parameters beside raw, load_id, path and now."""

    sql: str
    parameters: Parameters


@dataclass(frozen=True)
class Reading:
    """How the rows of a load are read: by one contract, chosen among several if rows are to be recognised.

    `recognised` are the contracts that rows may be of, in the order they are tried; empty: all rows are read by
    `contract`, else those whose tracker is `own_tracker` ('' for rows that no contract recognises). `mapped` are the
    paths of the user's own; `tenant` is for rows that name none; rows that match the pattern `left` are
    left for another statement, and `contract` lacks some paths of `whole` then.
    """

    contract: Contract
    recognised: tuple[Contract, ...] = ()
    mapped: tuple[str, ...] = ()
    tenant: str = ""
    own_tracker: str = ""
    left: str = ""
    whole: Contract | None = None

    @property
    def all_paths(self) -> list[paths.Path]:
        """Every path that a row is asked for."""
        fields = [path for rule in self.contract.fields.values() for path in (*rule.all_paths, *rule.conditions)]
        return fields + [paths.parsed(text) for c in self.recognised for one in c.recognised_by for text in one]

    def lines(self) -> Statement:
        """For text in which each line is a JSON object (NDJSON)."""
        return self._insert(sql_file("lines"), "LineAsString")

    def documents(self) -> Statement:
        """For JSON objects one after another or in one array, on however many lines."""
        return self._insert(sql_file("documents"), "JSONAsString")

    def kept_lines(self) -> Statement:
        """For the lines of a load that are in the warehouse: the parameter lines_of is its id."""
        return self._insert(sql_file("kept_lines"), "")

    def columns(self, names: Sequence[str], types: Sequence[str]) -> Statement:
        """For an Arrow stream of the columns `line, problem, given`, then those called `names` as c0, c1, …

        `types` are their ClickHouse types; an Array holds the one value of the row, or none. A row with a `problem` is
        rejected for it, `given` being its text. A null and an empty text are absent.
        """
        source = Template(sql_file("columns")).substitute(
            # the columns are themselves text in SQL: quotes in a type are escaped
            columns=", ".join(f"c{i} {type_}" for i, type_ in enumerate(types))
            .replace("\\", "\\\\")
            .replace("'", "\\'"),
            members=", ".join(_member(i, type_) for i, type_ in enumerate(types)),
        )
        statement = self._insert(source, "ArrowStream")
        return Statement(statement.sql, statement.parameters | {"names": list(names)})

    def paths_found(self) -> Statement:
        """A query: in how many of the rows of the load `lines_of` there is something at each path of each field, as one
        list, in the order of the fields and their paths.
        """
        return Statement(*_Compiled(self, sql_file("kept_lines")).paths_found())

    @property
    def hash(self) -> str:
        """What the result depends on beside the rows and the user's options, as one hash: rows that were read with
        another one are read again.
        """
        statement = self._insert("", "")
        parts = [statement.sql, statement.parameters, meaning(self.contract)]
        return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def _insert(self, source: str, data_format: str) -> Statement:
        text, parameters = _Compiled(self, source).statement()
        return Statement(f"{text}\nFORMAT {data_format}" if data_format else text, parameters)


def _member(position: int, type_: str) -> str:
    """A column as a member of a JSON object, '' where the row has no value."""
    column = f"c{position}"
    value, is_absent = column, f"isNull({column})"
    if type_ == "String":
        is_absent = f"{column} = ''"
    elif type_.startswith("Array("):
        value, is_absent = f"{column}[1]", f"empty({column})"
    return f"if({is_absent}, '', concat(toJSONString(names[{position + 1}]), ':', toJSONString({value})))"


class _Compiled:
    """One contract in SQL."""

    def __init__(self, reading: Reading, source: str) -> None:
        self._reading = reading
        self._contract = reading.contract
        self._table = TABLES[reading.contract.table]
        self._rules = reading.contract.fields
        self._whole = reading.whole or reading.contract
        self._source = source
        self._mapped = [paths.alternatives(text) for text in reading.mapped]
        self._documents = Documents(
            [*reading.all_paths, *(path for paths_ in self._mapped for path in paths_)], reading.contract.each
        )
        self._parameters: Parameters = {**self._documents.parameters}
        self._texts = FieldTexts(self._contract, self._documents, self._parameter, self._mapped, reading.tenant)

    def paths_found(self) -> tuple[str, Parameters]:
        """See Reading.paths_found."""
        counts = [
            f"countIf({condition})" for name, rule in self._rules.items() for condition in self._found(name, rule)
        ]
        text = Template(sql_file("paths_found")).substitute(rows=self._rows(), counts=", ".join(counts))
        return text, self._used(text, self._parameters | self._common_parameters)

    def _found(self, name: str, rule: Rule) -> list[str]:
        """Of each path of a rule, whether a row's value comes from it: of alternatives only one is taken."""
        conditions: list[str] = []
        for one in rule.first_of:
            conditions += self._found(name, one)
        taken: list[str] = []
        for text in rule.from_:
            place = self._texts.place(name, paths.parsed(text), rule.without)
            conditions.append(" AND ".join([f"{place} != ''", *taken]))
            taken.append(f"{place} = ''")
        others = rule.texts[len(conditions) :]
        return conditions + [f"{self._documents.text(paths.parsed(text))} != ''" for text in others]

    @property
    def _common_parameters(self) -> Parameters:
        return {
            "recognises": str(int(bool(self._reading.recognised))),
            "left": self._reading.left,
            "own_tracker": self._reading.own_tracker,
            "nobody": nobody.pattern(),
        }

    def _rows(self) -> str:
        """The rows of the source, with the documents that paths lead into."""
        return Template(sql_file("rows")).substitute(
            source=self._source,
            repaired=Template(sql_file("repaired")).substitute(text="refused"),
            elements=self._elements(),
            documents="".join(f"{expression},\n            " for expression in self._documents.expressions),
            is_left="multiMatchAny(text, [{left:String}])" if self._reading.left else "0",
            left=f"'{LEFT}'",
            tracker=self._tracker(),
            mapped=self._mapped_bits(),
        )

    @staticmethod
    def _used(text: str, parameters: Parameters) -> Parameters:
        return {name: value for name, value in parameters.items() if f"{{{name}:" in text}

    def statement(self) -> tuple[str, Parameters]:
        """The text and its parameters."""
        outer = self._outer_names()
        markers = {
            "rows": self._rows(),
            "fields": ",\n            ".join(f"{self._texts.of(name)} AS {name}_text" for name in self._plain_fields()),
            "unreadable": sql_file("unreadable"),
            "tail_columns": ", ".join(raw_tables.INCOMING_COLUMNS),
        }
        markers["tail"] = Template(sql_file("tail")).substitute(
            notes="id = '', is_amount_unreadable, is_time_unreadable" if self._table.name == EVENTS else "0, 0, 0"
        )
        for name in MOMENTS:
            rule = self._rules.get(name)
            unit, is_local = (rule.unit, rule.local) if rule else ("", False)
            markers[f"moment_of_{name}"] = moments.moment(f"{name}_text", unit, is_local=is_local)
        parameters: Parameters = {
            **self._parameters,
            "known": [name for name, _ in outer],
            "known_fields": [field for _, field in outer],
            "tenant": self._reading.tenant,
            "read_by": self._contract.name,
            **self._common_parameters,
            "host_of_url": HOST_OF_URL,
            "no_referrer": NO_REFERRER,
            "session_time": SESSION_TIME,
            "timezone": self._contract.timezone,
            "iso_time": moments.ISO_TIME,
            "unix_time": moments.UNIX_TIME,
        }
        if self._table.name == EVENTS:
            markers |= self._event_markers(outer, parameters)
        else:
            markers["parsed_fields"] = Template(sql_file("parsed_fields")).substitute(markers)
        text = Template(sql_file(self._table.name)).substitute(markers)
        return text, self._used(text, parameters | self._parameters)

    def _parameter(self, value: str | list[str]) -> str:
        """A value as the placeholder of a parameter."""
        name = f"value_{len(self._parameters)}"
        self._parameters[name] = value
        return f"{{{name}:{'String' if isinstance(value, str) else 'Array(String)'}}}"

    def _plain_fields(self) -> list[str]:
        return [name for name in self._table.fields if name not in (*CLICK_IDS, *OBJECTS)]

    def _elements(self) -> str:
        """The elements of the row that are events of their own; without such a list the row is one."""
        if not self._contract.each:
            return "1 AS element_number"
        steps = paths.parsed(self._contract.each)
        names = ", ".join(self._parameter(step) for step in steps if isinstance(step, str))
        return f"""JSONExtractArrayRaw(readable, {names}) AS all_elements,
        arrayJoin(arrayEnumerate(if(empty(all_elements), [''], all_elements))) AS element_number,
        all_elements[element_number] AS element"""

    def _mentioned(self) -> list[str]:
        """Names of the row itself that some path begins with."""
        all_paths = [path for rule in self._whole.fields.values() for path in (*rule.all_paths, *rule.conditions)]
        each = [paths.parsed(self._contract.each)] if self._contract.each else []
        return sorted({str(path[0]) for path in (*all_paths, *each)})

    def _outer_names(self) -> list[tuple[str, str]]:
        """Names of the row itself that are read as a whole, each with its field; not those only looked into."""
        found: dict[str, str] = {}
        for field, rule in self._whole.fields.items():
            for path in rule.all_paths:
                if len(path) == 1:
                    # objects that are put together stand beside each other: none of them is spare
                    own = str(path[0]) if rule.is_object else field
                    found.setdefault(str(path[0]), own)
        if self._contract.each:
            found.setdefault(str(paths.parsed(self._contract.each)[0]), "")
        return list(found.items())

    def _tracker(self) -> str:
        """The name of the contract by which a row is recognised."""
        others = self._reading.recognised
        if not others:
            return "{own_tracker:String}"
        first = sorted({str(paths.parsed(one[0])[0]) for c in others for one in c.recognised_by})
        if not first:
            return "''"
        cases = [f"NOT hasAny(keys, {self._parameter(first)}), ''"]
        for signature in signatures(others):
            cases.append(f"{self._has_all(signature.paths)}, {self._parameter(signature.contract.name)}")
        return f"multiIf({', '.join(cases)}, '')"

    def _has_all(self, signature: Sequence[str]) -> str:
        all_paths = [paths.parsed(text) for text in signature]
        outer = [str(path[0]) for path in all_paths]
        deep = [self._has(path) for path in all_paths if len(path) > 1]
        return "(" + " AND ".join([f"hasAll(keys, {self._parameter(sorted(set(outer)))})", *deep]) + ")"

    def _has(self, path: paths.Path) -> str:
        """Whether the row has what a path leads to; a value of null is there as well."""
        places = [
            str(step.index + 1) if isinstance(step, paths.Place) else self._parameter(step)
            for step in path
            if not isinstance(step, paths.Named)
        ]
        return f"({self._documents.text(path)} != '' OR JSONHas(readable, {', '.join(places)}))"

    def _mapped_bits(self) -> str:
        """Which of the user's own paths the row has, a bit for each."""
        bits = []
        for number, alternatives in enumerate(self._mapped):
            found = " OR ".join(self._has(path) for path in alternatives)
            bits.append(f"bitShiftLeft(toUInt64({found}), {number})")
        return " + ".join(bits) or "toUInt64(0)"

    def _event_markers(self, outer: Sequence[tuple[str, str]], parameters: Parameters) -> dict[str, str]:
        """The markers that only events have."""
        click_rules = {name: self._rules[name] for name in CLICK_IDS if name in self._rules}
        parameters["click_id_names"] = list(CLICK_IDS)
        parameters["click_id_words"] = any_of(
            sorted({*CLICK_IDS, *(last_name(path) for rule in click_rules.values() for path in rule.all_paths)})
        )
        values = []
        for name in CLICK_IDS:
            sent = self._texts.of(name)
            from_url = f"toValidUTF8(decodeURLFormComponent(extractURLParameter(current_url_text, '{name}')))"
            values.append(from_url if sent == "''" else f"multiIf({sent} != '', {sent}, {from_url})")
        mentioned = self._mentioned()
        session = self._rules.get("session_id")
        per_visitor = session.per_visitor if session else False
        return {
            "properties": self._texts.object("properties", mentioned),
            "attributes_set_once": self._texts.object("attributes_set_once", mentioned),
            "attributes_set": self._texts.object("attributes_set", mentioned),
            "click_id_values": ", ".join(values),
            "utms": ",\n            ".join(f"{_utm(name)} AS {name}_found" for name in UTMS),
            "spare_count": self._spare_count(outer),
            "amount": moments.amount("revenue_text"),
            "is_per_visitor": {
                True: "1",
                False: "0",
                "if_time": "match(session_id_text, {session_time:String})",
            }[per_visitor],
        }

    def _spare_count(self, outer: Sequence[tuple[str, str]]) -> str:
        """A number above 0 where a row has a spare name of a field: sums, since AND and OR would stop at each."""
        by_field: dict[str, list[str]] = {}
        for name, field in outer:
            if field in self._rules and self._documents.has((name,)):
                by_field.setdefault(field, []).append(f"notEmpty({self._documents.text((name,))})")
        return " + ".join(f"({' + '.join(some)} > 1)" for some in by_field.values() if len(some) > 1) or "0"


def _utm(name: str) -> str:
    """A UTM value as it was sent, else from the address of the page; decoded."""
    sent = f"multiIf({name}_text != '', {name}_text, utm_url = '', '', extractURLParameter(utm_url, '{name}'))"
    return f"multiIf(match({sent}, '[%+]'), toValidUTF8(decodeURLFormComponent({sent})), {sent})"
