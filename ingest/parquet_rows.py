"""Parquet files as typed columns."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ingest import arrow
from ingest.file_problem import FileProblem
from ingest.unpacking import spooled, unpacked

# Read and sent at a time.
_ROWS = 65_536


def columns_of(path: Path) -> arrow.Columns:
    """A Parquet file as typed columns, some thousand rows at a time. Raises FileProblem if it is damaged."""
    try:
        file = pq.ParquetFile(_seekable(path))
        schema = file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise _damaged(error) from None
    names = list(schema.names)
    arrow.check_names(names)
    types = [
        f"Array({clickhouse_type(field.type)})" if _is_nested(field.type) else clickhouse_type(field.type)
        for field in schema
    ]
    return arrow.Columns(names, types, arrow.stream(_batches(file, schema)))


def _batches(file: pq.ParquetFile, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    yield arrow.batch(
        [], [], [], [_storage(pa.array([], field.type)) for field in schema]
    )  # there may be no row at all
    line = 1
    try:
        for batch in file.iter_batches(batch_size=_ROWS, use_threads=False):
            count = batch.num_rows
            columns = [_storage(column) for column in batch.columns]
            yield arrow.batch(np.arange(line, line + count), [""] * count, [b""] * count, columns)
            line += count
    except (pa.ArrowException, OSError) as error:
        raise _damaged(error) from None


def _damaged(error: Exception) -> FileProblem:
    return FileProblem(f"the file is not readable as Parquet ({str(error).splitlines()[0]})")


def _storage(column: Any) -> Any:
    """A column as the warehouse can read it.

    It goes without the logical type around it, which an Arrow stream cannot always carry. Lists, structs and maps,
    which are never null in ClickHouse, come in a list: of one value, or of none where the row has null.
    """
    column = column.storage if isinstance(column.type, pa.BaseExtensionType) else column
    if not _is_nested(column.type):
        return column
    values_before = np.concatenate([[0], np.cumsum(column.is_valid())])
    return pa.LargeListArray.from_arrays(values_before, column.drop_null())


def _is_nested(kind: pa.DataType) -> bool:
    return clickhouse_type(kind).startswith(("Array(", "Tuple(", "Map("))


def _seekable(path: Path) -> Any:
    """Parquet is read from its end; a packed file is therefore unpacked to disk first."""
    inside = unpacked(path)
    return spooled(inside.chunks) if inside.is_packed else path


def clickhouse_type(kind: pa.DataType) -> str:
    """The ClickHouse type that reads an Arrow column; what it has no word for is read as text."""
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return clickhouse_type(kind.storage_type) if kind.extension_name != "arrow.uuid" else "Nullable(UUID)"
    if types.is_dictionary(kind):
        return clickhouse_type(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return f"Array({clickhouse_type(kind.value_type)})"
    if types.is_struct(kind):
        return f"Tuple({', '.join(f'{_quoted(field.name)} {clickhouse_type(field.type)}' for field in kind)})"
    if types.is_map(kind):
        return f"Map(String, {clickhouse_type(kind.item_type)})"
    return f"Nullable({_scalar_type(kind)})"


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def _scalar_type(kind: pa.DataType) -> str:
    types = pa.types
    if types.is_timestamp(kind):
        return f"DateTime64({_DIGITS[kind.unit]}, 'UTC')"
    if types.is_decimal(kind):
        return f"Decimal({kind.precision}, {kind.scale})"
    kinds = (
        (types.is_boolean, "Bool"),
        (types.is_date, "Date32"),
        (types.is_signed_integer, "Int64"),
        (types.is_unsigned_integer, "UInt64"),
        (types.is_float64, "Float64"),
        (types.is_floating, "Float32"),
    )
    return next((name for is_kind, name in kinds if is_kind(kind)), "String")


_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
