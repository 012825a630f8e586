"""Parquet files, such as datasets on Hugging Face are kept in. Needs pyarrow, which is not installed by default."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from components.contracts.errors import InputError
from components.ingest.rows import Row

ROWS_AT_ONCE = 1000


def read_parquet(path: Path, source: str) -> Iterator[Row]:
    """Stream the rows of `path`; a row's line is its number, from 1. Structs become objects.

    Raises:
        InputError: pyarrow is not installed, or the file is no Parquet file or damaged.
    """
    try:
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError as error:
        raise InputError(
            f"{source}: Parquet needs pyarrow; expected it to be installed (`pip install pyarrow`), or the same "
            "rows as .jsonl"
        ) from error
    number = 0
    try:
        for batch in parquet.ParquetFile(path).iter_batches(batch_size=ROWS_AT_ONCE):
            for value in batch.to_pylist():
                number += 1
                yield Row(source, number, value)
    except ValueError as error:  # pyarrow.ArrowInvalid
        raise InputError(f"{source}: no Parquet file, or damaged ({str(error).splitlines()[0]})") from error
