"""Recordings in the European Data Format, EDF and EDF+: signals of equally spaced 16-bit samples.

Read with the package `edfio`. Signals of up to 10 values a second are vitals by their labels and dimensions, faster
ones are waveforms, as the integers of the file. The start is taken for UTC, since the format names no zone; where it
was made anonymous there is none. The format has no sign for "no value": a sample outside the digital range that its
signal says is one, and -32768, which this program's own files have for it. Files with gaps (EDF+D) are not read.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from drivers.clock import NS
from drivers.errors import BadCapture, extra
from drivers.recordings.bounds import MOST_SAMPLES, named
from drivers.recordings.recording import Recording
from drivers.recordings.sampled import Said, Signal, sampled

NO_VALUE = -32768
_LONGEST_TEXT = 200
"""Characters of an annotation that says what a reading is."""
_HEADER, _OF_SIGNAL = 256, 256
"""Bytes."""


def read(path: Path, device: str = "") -> Recording:  # noqa: ARG001 - a file does not tell devices apart
    """The whole file. Raises BadCapture where it is damaged or none, and ExtraMissing."""
    with extra("edfio", "edf"):
        import edfio  # noqa: PLC0415 - an extra, and a large one
    try:
        _check(path)
        with warnings.catch_warnings():
            # A file that is shorter than it says was refused before; of old date forms nothing is to be said.
            warnings.simplefilter("ignore")
            file = edfio.read_edf(path)
            continuous, signals, begins_at = bool(file.is_continuous), list(_signals(file)), _begins_at(file)
            said = [
                Said(begins_at + round(it.onset * NS), it.duration or 0.0, it.text)
                for it in file.annotations
                if len(it.text) <= _LONGEST_TEXT
            ]
    except BadCapture:
        raise
    except OSError as error:
        raise BadCapture(f"{path}: {error.strerror or error}") from error
    except Exception as error:
        # It raises whatever a damaged file makes Python raise.
        raise BadCapture(f"{path}: the file cannot be read: {type(error).__name__}: {named(str(error))}") from error
    if not continuous:
        raise BadCapture(f"{path}: has gaps (EDF+D): that is not read")
    return sampled(path, signals, begins_at, said)


def _signals(file: Any) -> Iterator[Signal]:
    for signal in file.signals:
        digital = np.asarray(signal.digital, np.int64)
        low, high = signal.digital_range
        bottom, top = signal.physical_range
        gain = (top - bottom) / (high - low)
        known = (digital >= low) & (digital <= high) & (digital != NO_VALUE)
        unit = str(signal.physical_dimension)
        yield Signal(
            str(signal.label), unit, float(signal.sampling_frequency), digital, known, gain, bottom - low * gain
        )


def _begins_at(file: Any) -> int:
    import edfio  # noqa: PLC0415 - see above

    try:
        begins = datetime.combine(file.startdate, file.starttime, UTC)
    except edfio.AnonymizedDateError:
        return 0
    since = begins - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * NS + since.microseconds * 1000


def _check(path: Path) -> None:
    """Raise BadCapture where the file is none, or has not the length that its header says."""
    with path.open("rb") as file:
        header = file.read(_HEADER)
        size = os.fstat(file.fileno()).st_size
        if len(header) < _HEADER or header[:8] != b"0       ":
            raise BadCapture(f"{path}: is no EDF file")
        try:
            of_header, records, signals = int(header[184:192]), int(header[236:244]), int(header[252:256])
            rest = file.read(_OF_SIGNAL * max(0, signals))
            counts = [int(rest[216 * signals + 8 * place :][:8]) for place in range(signals)]
        except ValueError:
            raise BadCapture(f"{path}: its header has something else where it has to have a number") from None
    if signals < 1 or of_header != _HEADER + _OF_SIGNAL * signals or any(count < 1 for count in counts):
        raise BadCapture(f"{path}: its header contradicts itself")
    if records < 1 or size != of_header + 2 * records * sum(counts):
        raise BadCapture(f"{path}: has {size:,} bytes, and not as many as its header says: truncated?")
    if records * sum(counts) > 2 * MOST_SAMPLES:
        raise BadCapture(f"{path}: has more than {2 * MOST_SAMPLES:,} samples: that is no recording of one bed")
