"""A session's readings as one long table in Apache Parquet: `parquet_table` makes it, `docs/exports.md` tells of it."""

from __future__ import annotations

from typing import BinaryIO

from drivers.errors import extra
from monitor.review.exports.registry import Export


class ParquetExporter:
    """See the module."""

    name = "parquet"
    suffix = ".parquet"
    media_type = "application/vnd.apache.parquet"
    extra = "parquet"

    def write(self, export: Export, file: BinaryIO) -> None:
        """See `Exporter.write`."""
        with extra("pyarrow", self.extra):
            from monitor.review.exports import parquet_table  # noqa: PLC0415 - large, and only of this extra
        parquet_table.write(export, file)


EXPORTER = ParquetExporter()
