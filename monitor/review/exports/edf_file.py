"""A chart as an EDF+ file.

EDF has no sign for "no value": a slot without one has the digital minimum, -32768, which no value has; each signal's
prefiltering field says which number that is. Dates have no zone: the file's are UTC, and the recording field says so.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
from edfio import Edf, EdfAnnotation, EdfSignal, Patient, Recording

import monitor
from drivers.clock import NS
from monitor.review.exports.notes import Note, seconds
from monitor.review.exports.registry import Export
from monitor.review.exports.signals import Signal, Signals, ascii_of, signals_of
from monitor.review.exports.slots import LARGEST, NONE
from monitor.sessions.session import Session

_LABEL, _DEVICE, _UNIT, _REMARK = 16, 80, 8, 80
"""Characters of a signal's fields."""
_CODE, _SESSION = 74, 24
"""Characters for the reference in the patient's field and for the session in the recording's, of 80 in all."""
_RECORD = 64
"""Seconds of a data record at most: each has room for as many annotations as the one that has most. It is a power of
two, by which the library's own sums of lengths come out even."""
_RECORD_BYTES = 61_440
"""Of a data record's signals at most, as the format recommends."""
_YEARS = range(1985, 2085)
"""That a date of EDF can say."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
"""What an annotation cannot hold; line breaks it could, and readers show them as dots."""


def made(export: Export) -> bytes:
    """The whole file. Raises JournalUnusable where waveforms cannot be read."""
    content = signals_of(export)
    record = _record_seconds(content)
    labels = labels_of([signal.name for signal in content.signals])
    begins = datetime.fromtimestamp(content.begins_at // NS, UTC)
    edf = Edf(
        [
            _signal(signal, label, content.seconds, record)
            for signal, label in zip(content.signals, labels, strict=True)
        ],
        patient=Patient(code=_code(export.chart.session.reference)[:_CODE]),
        recording=_recording(export.chart.session, begins),
        starttime=begins.time(),
        data_record_duration=record if content.signals else None,
        annotations=_annotations(content.notes, content.begins_at),
    )
    file = io.BytesIO()
    edf.write(file)
    return file.getvalue()


def labels_of(names: Sequence[str]) -> list[str]:
    """The names in as many characters as a label has, ASCII, each once."""
    labels: list[str] = []
    for name in names:
        label = ascii_of(name)[:_LABEL].rstrip()
        number = 2
        while label in labels:
            label = f"{ascii_of(name)[: _LABEL - len(str(number))].rstrip()}{number}"
            number += 1
        labels.append(label)
    return labels


def _record_seconds(content: Signals) -> int:
    """How long a data record is."""
    a_second = sum(2 * signal.rate for signal in content.signals)
    record = _RECORD
    while record > content.frame and record * a_second > _RECORD_BYTES:
        record //= 2
    return record


def _signal(signal: Signal, label: str, length: int, record: int) -> EdfSignal:
    added = np.full(int(-length % record * signal.rate), NONE, np.int16)
    low, high = ((it + signal.scale.base) / 10**signal.scale.decimals for it in (NONE, LARGEST))
    words = [f"no value: {low:.10g}", f"step: {10.0**-signal.scale.decimals:g}", signal.remark]
    return EdfSignal.from_digital(
        np.concatenate([signal.samples, added]),
        float(signal.rate),
        label=label,
        transducer_type=ascii_of(signal.device)[:_DEVICE],
        physical_dimension=ascii_of(signal.unit.replace("°", "deg"))[:_UNIT],
        physical_range=(_kept(low, math.inf), _kept(high, -math.inf)),
        digital_range=(NONE, LARGEST),
        prefiltering="; ".join(filter(None, words))[:_REMARK],
    )


def _kept(bound: float, inwards: float) -> float:
    # The library rounds outwards to eight characters, by a product that is sometimes a hair more than the number.
    return bound if bound.is_integer() else math.nextafter(bound, inwards)


def _recording(session: Session, begins: datetime) -> Recording:
    return Recording(
        startdate=begins.date() if begins.year in _YEARS else None,
        hospital_administration_code=_code(session.id)[:_SESSION],
        equipment_code=_code(f"infusion-monitor-{monitor.__version__}")[:_SESSION],
        additional=("UTC",),
    )


def _annotations(notes: Iterable[Note], begins_at: int) -> Iterator[EdfAnnotation]:
    for note in notes:
        yield EdfAnnotation((note.at - begins_at) / NS, seconds(note), _CONTROL.sub(" / ", note.text))


def _code(text: str) -> str:
    """As a part of the patient's or the recording's field, where a space parts two."""
    return re.sub(r"\s+", "_", ascii_of(text)) or "X"
