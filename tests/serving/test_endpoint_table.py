"""The page tells of the endpoints that there are."""

from serving.endpoint_table import PAGE, with_table


def test_the_page_agrees_with_the_files() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page
