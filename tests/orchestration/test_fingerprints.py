"""What counts as a change of a model, and what follows from one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.fingerprints import Model, plain, rebuilt

TOKENS = [
    "select",
    "a",
    "'it -- is'",
    '"b /* c */"',
    "{{ ref('x') }}",
    "{% if y %}",
    "{% endif %}",
    "/",
    "-",
    ">=",
    "1",
]
NOTHING = [" ", "\n", "\t", " -- it's nothing\n", "/* 'nothing */", "{# {{ nothing }} #}"]


@given(
    st.lists(
        st.tuples(st.sampled_from(TOKENS), st.lists(st.sampled_from(NOTHING), min_size=1), st.sampled_from(NOTHING))
    )
)
def test_comments_and_white_space_are_no_change(code: list[tuple[str, list[str], str]]) -> None:
    one = "".join(token + "".join(gap) for token, gap, _ in code)
    other = "".join(token + gap for token, _, gap in code)
    assert plain(one) == plain(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select 'a b'", "select 'a  b'"),
        ("select 'a--b'", "select 'a--c'"),
        ("select ab", "select a b"),
        ("select 1 -- {{ one() }}", "select 1 -- {{ other() }}"),
        ("select '{{ var(\"a\") }}'", "select '{{ var(\"b\") }}'"),
        ("select 'it\\'s' -- a", "select 'it\\'s -- b'"),
    ],
)
def test_what_is_said_otherwise_is_a_change(one: str, other: str) -> None:
    assert plain(one) != plain(other)


def test_what_takes_its_rows_from_a_feed_is_rebuilt_with_it() -> None:
    models = {
        "scope": Model({}),
        "rows": Model({}, reads=frozenset({"scope"})),
        "people": Model({}, reads=frozenset({"rows"}), rebuilt_with=frozenset({"scope"})),
        "days": Model({}, reads=frozenset({"people"})),
        "events": Model({}),
    }
    assert rebuilt({"people": "SQL"}, models).keys() == {"people", "scope", "rows", "days"}
    assert rebuilt({"days": "SQL"}, models).keys() == {"days"}
