"""EDF+ (edfplus.info): signals of 16-bit numbers with annotations, for viewers and research. See `edf_file`."""

from __future__ import annotations

from typing import BinaryIO

from drivers.errors import extra
from monitor.review.exports.registry import Export


class _Edf:
    name = "edf"
    suffix = ".edf"
    media_type = "application/octet-stream"
    extra = "edf"

    def write(self, export: Export, file: BinaryIO) -> None:
        """See `Exporter.write`."""
        with extra("edfio", self.extra):
            from monitor.review.exports import edf_file  # noqa: PLC0415 - only some installations have what it imports
        file.write(edf_file.made(export))


EXPORTER = _Edf()
