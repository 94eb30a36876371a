"""The check that a query finds no rows. Imports Great Expectations, so import this only to run suites."""

from typing import Any, ClassVar

from great_expectations.expectations import UnexpectedRowsExpectation


class UnexpectedRowsCount(UnexpectedRowsExpectation):
    """Great Expectations' own asks twice, for the rows and for their number; nobody is shown the rows."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(self, metrics: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        return super()._validate({**metrics, "unexpected_rows_query.table": []}, *args, **kwargs)
