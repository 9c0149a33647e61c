"""`.vital` (vitaldb.net, "Vital File Format"): each reading at its own time, as Vital Recorder stores it.

A vital of a device is a track of 64-bit numbers by the vital's key. A reading without a value is no record there; a
track `KEY_validity` of text tells every reading that is not valid, at its time, and the first valid one after it. Notes
are the track EVENT, which Vital Recorder shows as its bar of events. Times are seconds since 1970, to about 0.2 us.
"""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS
from drivers.events import Validity, Waveform
from drivers.vitals import VITALS, Vital
from monitor.review.exports.notes import doubt, notes, recorded, worded
from monitor.review.exports.registry import Export
from monitor.review.tracks import Track
from monitor.storage.waveforms import ends_at

_DEVICE, _TRACK, _RECORD = 9, 0, 1
"""Types of packets."""
_WAVE, _NUMBER, _TEXT = 1, 2, 5
"""Types of tracks."""
_NULL, _DOUBLE, _SHORT = 0, 2, 5
"""Formats of their values."""
_SHORTS = range(-32767, 32768)
"""-32768 is the format's sign for "no value"."""
_MEANING = {
    "heart_rate": 2,
    "abp_sys": 5,
    "abp_dia": 6,
    "abp_mean": 7,
    "pulse_rate": 9,
    "spo2": 10,
    "resp_rate": 12,
    "etco2": 15,
    "nibp_sys": 16,
    "nibp_dia": 17,
    "nibp_mean": 18,
    "temp": 19,
    "ecg": 1,
    "abp": 4,
    "pleth": 8,
    "resp": 11,
}
"""The format's numbers for what a track is (`montype`)."""
_WHITE = 0xFFFFFFFF
_HEAD = struct.Struct("<HdH")
"""Of a record: how long the rest of this is, its time, its track."""
_NUMBERS = np.dtype(
    [("type", "u1"), ("size", "<u4"), ("head", "<u2"), ("at", "<f8"), ("track", "<u2"), ("value", "<f8")]
)
"""A packet with a record of a number."""
_LEVEL = 6


class _Vital:
    name = "vital"
    suffix = ".vital"
    media_type = "application/octet-stream"
    extra = ""

    def write(self, export: Export, file: BinaryIO) -> None:
        """See `Exporter.write`."""
        body = b"".join(_body(export))
        # As other writers of the format do: no name, no time, so that the same chart makes the same bytes.
        packed = io.BytesIO()
        with gzip.GzipFile("", "wb", _LEVEL, packed, mtime=0) as stream:
            stream.write(body)
        file.write(packed.getbuffer())


EXPORTER = _Vital()


class _Track(NamedTuple):
    name: str
    device: str
    """Empty for the program itself."""
    type: int
    format: int
    records: Callable[[int], bytes]
    """Gives its packets; what it is called with is the track's number."""
    since: int
    """UTC nanoseconds of its first value."""
    until: int
    """Of the end of its last one."""
    unit: str = ""
    shown: tuple[float, float] = (0, 0)
    """The range that it is drawn in."""
    colour: int = _WHITE
    rate: float = 0


def _body(export: Export) -> Iterator[bytes]:
    since, until = recorded(export.chart)
    tracks = [*_tracks(export)]
    yield b"VITA" + struct.pack("<IHhII", 3, 27, 0, 0, 0) + struct.pack("<ddB", _seconds(since), _seconds(until), 0)
    devices = [*dict.fromkeys(track.device for track in tracks if track.device)]
    for number, device in enumerate(devices, start=1):
        yield _packet(_DEVICE, struct.pack("<I", number) + _string(device) + _string(device) + _string(""))
    numbers = {"": 0} | {device: number for number, device in enumerate(devices, start=1)}
    records = [track.records(number) for number, track in enumerate(tracks, start=1)]
    for number, track in enumerate(tracks, start=1):
        yield _packet(_TRACK, _description(number, track, numbers[track.device], len(records[number - 1])))
    yield from records


def _tracks(export: Export) -> Iterator[_Track]:
    for track in export.chart.vitals.values():
        # The device that measured it most comes first: of several, other programs read that one.
        for place in np.argsort(-np.bincount(track.device), kind="stable").tolist():
            yield from _of_vital(track, track.devices[place], track.device == place)
    by_kind: dict[tuple[str, str, float], list[Waveform]] = {}
    for run in filter(lambda it: it.waveform.samples, export.waveforms()):
        by_kind.setdefault((run.waveform.name, run.device, run.waveform.rate), []).append(run.waveform)
    for (name, device, rate), runs in sorted(by_kind.items()):
        several = sum(key[:2] == (name, device) for key in by_kind) > 1
        yield _of_waveform(f"{name} {rate:g}/s" if several else name, device, runs)
    said = notes(export.chart, export.site)
    texts = [(note.at, worded(note)) for note in said]
    yield _Track("EVENT", "", _TEXT, _NULL, partial(_texts, texts), texts[0][0], texts[-1][0])


def _of_vital(track: Track, device: str, of_device: NDArray[np.bool_]) -> Iterator[_Track]:
    here = of_device & track.known
    at, value = track.at[here], track.value[here]
    if len(at):
        about = VITALS.get(track.vital)
        unit, shown, colour = ("", (0.0, 0.0), _WHITE) if about is None else _look(about)
        records = partial(_numbers, at, value)
        yield _Track(track.vital, device, _NUMBER, _DOUBLE, records, int(at[0]), int(at[-1]), unit, shown, colour)
    validity = track.validity[of_device]
    odd = validity != Validity.VALID
    if odd.any():
        at, cause = track.at[of_device], track.cause[of_device]
        told = np.flatnonzero(odd | np.append(False, odd[:-1]))
        texts = [(int(at[it]), doubt(int(validity[it]), track.causes[cause[it]])) for it in told.tolist()]
        name = f"{track.vital}_validity"
        yield _Track(name, device, _TEXT, _NULL, partial(_texts, texts), texts[0][0], texts[-1][0])


def _of_waveform(name: str, device: str, runs: Sequence[Waveform]) -> _Track:
    lowest, highest = min(min(run.samples) for run in runs), max(max(run.samples) for run in runs)
    # The format's 32-bit numbers are read wrongly by its own library on most machines; a double holds them as well.
    format_ = _SHORT if lowest in _SHORTS and highest in _SHORTS else _DOUBLE
    return _Track(
        name,
        device,
        _WAVE,
        format_,
        partial(_waves, runs, "<i2" if format_ == _SHORT else "<f8"),
        runs[0].observed_at,
        ends_at(runs[-1]),
        shown=(lowest, highest),
        rate=runs[0].rate,
    )


def _look(about: Vital) -> tuple[str, tuple[float, float], int]:
    return about.unit_label, about.plausible, 0xFF000000 | int(about.colour[1:], 16)


def _description(number: int, track: _Track, device: int, size: int) -> bytes:
    # Scale 1, offset 0: numbers are what they are.
    meaning = _MEANING.get(track.name, 0)
    return b"".join(
        [
            struct.pack("<HBB", number, track.type, track.format),
            _string(track.name),
            _string(track.unit),
            struct.pack("<ffIf", *track.shown, track.colour, track.rate),
            struct.pack("<ddBI", 1.0, 0.0, meaning, device),
            struct.pack("<Idd", size, _seconds(track.since), _seconds(track.until)),
        ]
    )


def _numbers(at: NDArray[np.int64], value: NDArray[np.float64], track: int) -> bytes:
    packets = np.zeros(len(at), _NUMBERS)
    packets["type"], packets["size"], packets["head"], packets["track"] = _RECORD, _NUMBERS.itemsize - 5, 10, track
    packets["at"], packets["value"] = at // NS + at % NS / NS, value
    return packets.tobytes()


def _texts(texts: Iterable[tuple[int, str]], track: int) -> bytes:
    return b"".join(
        _packet(_RECORD, _HEAD.pack(10, _seconds(at), track) + bytes(4) + _string(text)) for at, text in texts
    )


def _waves(runs: Iterable[Waveform], type_: str, track: int) -> bytes:
    return b"".join(
        _packet(
            _RECORD,
            _HEAD.pack(10, _seconds(run.observed_at), track)
            + struct.pack("<I", len(run.samples))
            + np.array(run.samples, type_).tobytes(),
        )
        for run in runs
    )


def _packet(type_: int, content: bytes) -> bytes:
    return struct.pack("<BI", type_, len(content)) + content


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<I", len(encoded)) + encoded


def _seconds(at: int) -> float:
    # As `_numbers` does: the last bit must be the same.
    return at // NS + at % NS / NS
