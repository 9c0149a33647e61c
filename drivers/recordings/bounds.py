"""How much of a file is believed: what says that it holds more is damaged, or was made to use up a machine's memory."""

from __future__ import annotations

import io
import zlib
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from typing import BinaryIO

from drivers.errors import BadCapture

MOST_READINGS = 10_000_000
"""All 13 vitals once a second for nine days."""
MOST_SAMPLES = 100_000_000
"""An ECG at 500 Hz and three waveforms at 125 Hz for more than a day."""
MOST_TEXT = 2**28
"""Bytes of a text, unpacked: all vitals once a second for a month."""
LATEST = 4_500_000_000.0
"""Seconds since 1970, in 2112: later than any that a journal can hold, and longer than anything is recorded."""
LONGEST_NAME = 60
"""Characters of a name that a file gives; the rest is not told."""

_GZIP = b"\x1f\x8b"
_PIECE = 2**20


def read_whole(path: Path, most: int) -> bytes:
    """The file, unpacked where it is gzipped. Raises BadCapture where it cannot be read or has more bytes than that."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP
            file.seek(0)
            return _read(path, GzipFile(fileobj=file) if packed else file, most)
    except (BadGzipFile, EOFError, zlib.error) as error:
        raise BadCapture(f"{path}: a damaged gzip file: {error}") from error
    except OSError as error:
        raise BadCapture(f"{path}: {error.strerror or error}") from error


def check_readings(path: Path, number: int) -> None:
    """Raise BadCapture where a file has more readings than any recording of a bed."""
    if number > MOST_READINGS:
        raise BadCapture(f"{path}: has more than {MOST_READINGS:,} values: that is no recording of one bed")


def check_samples(path: Path, number: int) -> None:
    """Raise BadCapture where a file has more samples than any recording of a bed."""
    if number > MOST_SAMPLES:
        raise BadCapture(f"{path}: has more than {MOST_SAMPLES:,} samples of waveforms: divide it")


def check_seconds(path: Path, first: float, last: float) -> None:
    """Raise BadCapture where a recording goes from or to a time that is none."""
    if not -LATEST <= first <= last <= LATEST:
        raise BadCapture(f"{path}: goes from {first:.12g} s to {last:.12g} s: that is no time of a recording")


def named(name: str) -> str:
    """A name that a file gives, as it can be told: one line, and not too long."""
    shown = "".join(character if character.isprintable() else "?" for character in name[: LONGEST_NAME + 1])
    return f"{shown[:LONGEST_NAME]}..." if len(shown) > LONGEST_NAME else shown


def _read(path: Path, file: BinaryIO | GzipFile, most: int) -> bytes:
    data = io.BytesIO()
    while piece := file.read(_PIECE):
        if data.tell() + len(piece) > most:
            raise BadCapture(f"{path}: has more than {most:,} bytes, unpacked: that is no recording of one bed")
        data.write(piece)
    return data.getvalue()
