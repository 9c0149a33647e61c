"""Recordings of Vital Recorder (`.vital`): tracks of numbers and of samples, each value with its own UTC time.

The format is that of `vitaldb/vitalutils`, "Vital File Format": a gzip stream of a header and of packets, their numbers
little-endian and without padding. A packet is a type (a byte), a length (32 bits) and its content; unknown types are
passed over.

A track is a vital by its name (`labels`) or, where that is none, by the meaning that the recorder gave it (`montype`).
Of several tracks of one vital or one waveform the best is read, the others are named in `Recording.ignored` with the
tracks of text and all that is neither. A track `KEY_validity` is of this program's own files: it says which values of
the track KEY are not valid. Samples are the integers of the file, without its gain and offset; tracks of
floating-point samples are not read. What the format calls NaN is no value, and a gap in a waveform.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS
from drivers.errors import BadCapture
from drivers.recordings.bounds import LATEST, check_readings, check_samples, named
from drivers.recordings.labels import scale_of, vital_of, waveform_of
from drivers.recordings.measured import Measured, doubts, recording
from drivers.recordings.recording import Recording, Wave
from drivers.vitals import VITALS

_GZIP = b"\x1f\x8b"
_TRACK, _RECORD, _DEVICE = 0, 1, 9
_WAVE, _NUMBER, _TEXT = 1, 2, 5
_VALIDITY = "_validity"
_LONGEST_TEXT = 200
_MOST_BYTES = 2**31
"""Of content, unpacked: four days of an ECG at 500 Hz and three waveforms at 125 Hz."""
_MOST_PACKETS = 20_000_000
_LONGEST_HEADER = 4096
_LONGEST_INFO = 65_536
_PIECE = 2**20

_PACKET = struct.Struct("<BI")
_TIME = struct.Struct("<HdH")
_FORMATS: Mapping[int, tuple[str, float]] = {
    1: ("<f4", np.nan),
    2: ("<f8", np.nan),
    3: ("<i1", -(2**7)),
    4: ("<u1", 2**8 - 1),
    5: ("<i2", -(2**15)),
    6: ("<u2", 2**16 - 1),
    7: ("<i4", -(2**31)),
    8: ("<u4", 2**32 - 1),
}
"""By the file's number: the type, and the value that stands for none."""
_STRUCTS = {1: struct.Struct("<f"), 2: struct.Struct("<d"), 3: struct.Struct("<b"), 4: struct.Struct("<B")} | {
    number: struct.Struct(code) for number, code in {5: "<h", 6: "<H", 7: "<i", 8: "<I"}.items()
}
_MEANT = {
    2: "heart_rate",
    5: "abp_sys",
    6: "abp_dia",
    7: "abp_mean",
    9: "pulse_rate",
    10: "spo2",
    12: "resp_rate",
    14: "resp_rate",
    15: "etco2",
    16: "nibp_sys",
    17: "nibp_dia",
    18: "nibp_mean",
    19: "temp",
}
"""By `montype`, the vital that a track of numbers is."""
_MEANT_WAVES = {1: "ecg", 4: "abp", 8: "pleth", 11: "resp"}
_BY_MEANING = 1000
"""Place in the order of preference of what only `montype` names."""


@dataclass
class _Track:
    """A track that is, or may be, read: its values are kept as they come."""

    name: str
    """As it is told."""
    kind: int
    form: int
    rate: float
    is_: tuple[str, int]
    """The vital or the waveform, and the place of its name in the order of preference."""
    device: int
    scale: tuple[float, float] = (1.0, 0.0)
    at: array[float] = field(default_factory=lambda: array("d"))
    """Seconds since 1970, of each value or run."""
    called: str = ""
    """In the file."""
    values: array[float] = field(default_factory=lambda: array("d"))
    samples: bytearray = field(default_factory=bytearray)
    lengths: array[int] = field(default_factory=lambda: array("q"))
    texts: list[str] = field(default_factory=list)


def read(path: Path, device: str = "") -> Recording:
    """The whole file; with `device` only what a device of that name recorded.

    Raises BadCapture, with the byte of the unpacked content, where it is damaged or no such file.
    """
    try:
        with path.open("rb") as file:
            if file.read(2) != _GZIP:
                raise BadCapture(f"{path}: is no .vital file: it does not begin as a gzip stream does")
            file.seek(0)
            content = _Content(path, GzipFile(fileobj=file))
            tracks, ignored = _Reader(content, device).tracks()
    except (BadGzipFile, EOFError, zlib.error) as error:
        raise BadCapture(f"{path}: a damaged or truncated gzip stream: {error}") from error
    except OSError as error:
        raise BadCapture(f"{path}: {error.strerror or error}") from error
    told = {(track.device, track.is_[0]): track for track in tracks if track.kind == _TEXT}
    chosen, others = _best(track for track in tracks if track.kind != _TEXT)
    vitals = {it.is_[0]: _measured(it, told.get((it.device, it.is_[0]))) for it in chosen if it.kind == _NUMBER}
    waves = [_wave(path, track) for track in chosen if track.kind == _WAVE and track.lengths]
    return recording(path, vitals, waves, [*ignored, *others])


class _Content:
    """The unpacked content, read forwards."""

    def __init__(self, path: Path, file: GzipFile) -> None:
        self.path = path
        self._file = file
        self.at = 0

    def read(self, size: int, what: str) -> bytes:
        """So many bytes. Raises BadCapture where there are fewer."""
        data = self._file.read(size)
        self.at += len(data)
        if len(data) < size:
            self.wrong(f"ends within {what}")
        return data

    def next_packet(self) -> tuple[int, int] | None:
        """Type and length of the next packet; None at the end."""
        head = self._file.read(_PACKET.size)
        if not head:
            return None
        self.at += len(head)
        if len(head) < _PACKET.size:
            self.wrong("ends within a packet's head")
        kind, length = _PACKET.unpack(head)
        if self.at + length > _MOST_BYTES:
            self.wrong(f"a packet says that it has {length:,} bytes: more than any recording of one bed")
        return kind, length

    def skip(self, size: int) -> None:
        """Pass over so many bytes."""
        while size > 0:
            size -= len(self.read(min(size, _PIECE), "a packet"))

    def wrong(self, what: str) -> NoReturn:
        """Raise BadCapture."""
        raise BadCapture(f"{self.path}: byte {self.at:,} of its unpacked content: {what}")


class _Reader:
    """Goes through the packets once."""

    def __init__(self, content: _Content, device: str) -> None:
        self._content = content
        self._device = device.lower()
        self._devices: dict[int, str] = {0: ""}
        self._tracks: dict[int, _Track | None] = {}
        """By the file's number; None for what is not read."""
        self._all: list[_Track] = []
        self._ignored: dict[str, None] = {}
        self._values = self._samples = 0

    def tracks(self) -> tuple[list[_Track], list[str]]:
        """Every track that is, or may be, read, and the names of the others. Raises BadCapture."""
        content = self._content
        if content.read(4, "its header") != b"VITA":
            content.wrong("is no .vital file: VITA is missing")
        content.read(4, "its header")
        (length,) = struct.unpack("<H", content.read(2, "its header"))
        if length > _LONGEST_HEADER:
            content.wrong(f"its header says that it has {length} bytes")
        content.read(length, "its header")
        packets = 0
        while (packet := content.next_packet()) is not None:
            packets += 1
            if packets > _MOST_PACKETS:
                content.wrong(f"has more than {_MOST_PACKETS:,} packets: that is no recording of one bed")
            self._packet(*packet)
        return self._all, list(self._ignored)

    def _packet(self, kind: int, length: int) -> None:
        if kind == _RECORD:
            self._record(length)
        elif kind in {_TRACK, _DEVICE}:
            if length > _LONGEST_INFO:
                self._content.wrong(f"a description of a track or device says that it has {length:,} bytes")
            fields = _Fields(self._content, length)
            if kind == _DEVICE:
                number, type_, name = fields.number("<I"), fields.text(), fields.text()
                self._devices[int(number)] = name or type_
            else:
                self._track(fields)
        else:
            self._content.skip(length)

    def _track(self, fields: _Fields) -> None:
        number, kind, form = int(fields.number("<H")), int(fields.number("<B")), int(fields.number("<B"))
        name, unit = fields.text(), fields.text()
        fields.number("<f"), fields.number("<f"), fields.number("<I")
        rate = fields.number("<f")
        fields.number("<d"), fields.number("<d")
        meaning, of = int(fields.number("<B")), int(fields.number("<I"))
        device = self._devices.get(of, "")
        track = None
        if not self._device or device.lower() == self._device:
            track = _known(_Track(name, kind, form, rate, ("", 0), of), unit, meaning)
        shown = named(f"{device}/{name}" if device else name)
        self._tracks[number] = track
        if track is None:
            self._ignored[shown] = None
        else:
            track.called, track.name = name, shown
            self._all.append(track)

    def _record(self, length: int) -> None:
        content = self._content
        if length < _TIME.size:
            content.wrong(f"a record of {length} bytes")
        info, at, number = _TIME.unpack(content.read(_TIME.size, "a record"))
        if not _TIME.size - 2 <= info <= length - 2:
            content.wrong(f"a record whose head has {info} bytes, of {length} in all")
        content.skip(info + 2 - _TIME.size)
        rest = length - 2 - info
        track = self._tracks.get(number)
        if track is None:
            content.skip(rest)
            return
        # Compared so that what is no number is refused, too.
        if not 0 <= at < LATEST:
            content.wrong(f"a record of {track.name} has the time {at!r}")
        if track.kind == _NUMBER:
            self._value(track, at, rest)
        elif track.kind == _TEXT:
            self._text(track, at, rest)
        else:
            self._run(track, at, rest)

    def _value(self, track: _Track, at: float, rest: int) -> None:
        form = _STRUCTS[track.form]
        if rest < form.size:
            self._content.wrong(f"a record of {track.name} has no value")
        (value,) = form.unpack_from(self._content.read(form.size, "a record"))
        self._content.skip(rest - form.size)
        self._values += 1
        check_readings(self._content.path, self._values)
        track.at.append(at)
        track.values.append(value)

    def _text(self, track: _Track, at: float, rest: int) -> None:
        if rest > _LONGEST_TEXT:
            self._content.wrong(f"a record of {track.name} has {rest:,} bytes")
        fields = _Fields(self._content, rest)
        fields.number("<I")
        self._values += 1
        check_readings(self._content.path, self._values)
        track.at.append(at)
        track.texts.append(fields.text())

    def _run(self, track: _Track, at: float, rest: int) -> None:
        if rest < 4:
            self._content.wrong(f"a record of {track.name} has no samples")
        (number,) = struct.unpack("<I", self._content.read(4, "a record"))
        size = number * _STRUCTS[track.form].size
        if size > rest - 4:
            self._content.wrong(f"a record of {track.name} says that it has {number:,} samples: there are fewer")
        self._samples += number
        self._values += 1
        check_samples(self._content.path, self._samples)
        check_readings(self._content.path, self._values)
        track.samples += self._content.read(size, "a record")
        self._content.skip(rest - 4 - size)
        track.at.append(at)
        track.lengths.append(number)


class _Fields:
    """The fields of a description, one after the other; those at its end may be missing."""

    def __init__(self, content: _Content, length: int) -> None:
        self._content = content
        self._data = content.read(length, "a description")
        self._at = 0

    def number(self, form: str) -> float:
        """The next number; 0 where the description is over."""
        if self._at >= len(self._data):
            return 0
        try:
            (number,) = struct.unpack_from(form, self._data, self._at)
        except struct.error:
            self._content.wrong("a description of a track or device ends within a number")
        self._at += struct.calcsize(form)
        return float(number) if isinstance(number, float) else int(number)

    def text(self) -> str:
        """The next text; empty where the description is over."""
        length = int(self.number("<I"))
        if length > len(self._data) - self._at:
            self._content.wrong(f"a description has a text of {length:,} bytes, and is shorter")
        self._at += length
        return self._data[self._at - length : self._at].decode(errors="replace")


def _known(track: _Track, unit: str, meaning: int) -> _Track | None:
    """The track with what it is; None where it is nothing that is read."""
    if track.kind == _NUMBER and track.form in _FORMATS:
        meant = _MEANT.get(meaning)
        found = vital_of(track.name) or (None if meant is None else (meant, _BY_MEANING))
        scale = None if found is None else scale_of(found[0], unit)
        if found is None or scale is None:
            return None
        track.is_, track.scale = found, scale
        return track
    if track.kind == _TEXT and (vital := track.name.removesuffix(_VALIDITY)) in VITALS and vital != track.name:
        track.is_ = (vital, 0)
        return track
    if track.kind == _WAVE and track.form in _FORMATS and track.form > 2 and 0.1 <= track.rate <= 10_000:
        meant = _MEANT_WAVES.get(meaning)
        found = waveform_of(track.name) or (None if meant is None else (meant, _BY_MEANING))
        if found is None:
            return None
        track.is_ = found
        return track
    return None


def _best(tracks: Iterable[_Track]) -> tuple[list[_Track], list[str]]:
    """Of each vital and waveform the one track that is read; and the names of the others.

    A track without values is no choice. What a file describes twice under one name goes on in its second part.
    """
    best: dict[tuple[int, str], _Track] = {}
    others: dict[str, None] = {}
    for track in tracks:
        key = (track.kind, track.is_[0])
        before = best.get(key)
        if before is None or (bool(track.at), -track.is_[1]) > (bool(before.at), -before.is_[1]):
            best[key] = track
            if before is not None:
                others[before.name] = None
        else:
            others[track.name] = None
    return list(best.values()), list(others)


def _measured(track: _Track, told: _Track | None) -> Measured:
    value = np.array(track.values)
    none = _FORMATS[track.form][1]
    value[(value == none) | ~np.isfinite(value)] = np.nan
    if track.called == track.is_[0]:
        return _own(track, value, told)
    factor, offset = track.scale
    with np.errstate(over="ignore"):
        return Measured(_ns(track.at), value if track.scale == (1.0, 0.0) else value * factor + offset)


def _own(track: _Track, value: NDArray[np.float64], told: _Track | None) -> Measured:
    """A vital called by its key is of this program: each value is a reading, another track says which are not valid."""
    texts = {} if told is None else dict(zip(told.at, told.texts, strict=True))
    without = sorted(texts.keys() - set(track.at))
    at = array("d", [*track.at, *(it for it in without if texts[it].startswith("invalid"))])
    values = np.append(value, np.full(len(at) - len(value), np.nan))
    places = {place: texts[it] for place, it in enumerate(at) if it in texts}
    return Measured(_ns(at), values, doubts(track.is_[0], values, places))


def _ns(seconds: array[float]) -> NDArray[np.int64]:
    """Seconds as nanoseconds: all that a double holds of them, and nothing lost by the multiplication."""
    whole, part = np.divmod(np.array(seconds), 1.0)
    ns: NDArray[np.int64] = whole.astype(np.int64) * NS + np.rint(part * NS).astype(np.int64)
    return ns


def _wave(path: Path, track: _Track) -> Wave:
    form, none = _FORMATS[track.form]
    samples = np.frombuffer(bytes(track.samples), form)
    if track.form == 8 and (samples[samples != none] >= 2**31).any():
        raise BadCapture(f"{path}: {track.name} has a sample of more than 32 bits")
    lengths = np.array(track.lengths, np.int64)
    runs = list(_runs(samples != none, _ns(track.at), lengths, track.rate))
    kept = [samples[first:end] for _, first, end in runs]
    return Wave(
        track.is_[0],
        track.rate,
        np.concatenate(kept).astype(np.int32) if kept else np.empty(0, np.int32),
        np.array([at for at, _, _ in runs], np.int64),
        np.array([end - first for _, first, end in runs], np.int64),
    )


def _runs(
    known: NDArray[np.bool_], begins: NDArray[np.int64], lengths: NDArray[np.int64], rate: float
) -> Iterator[tuple[int, int, int]]:
    """Of each run without a gap: its time, and its first sample and the one after its last."""
    ends = np.cumsum(lengths)
    order = np.argsort(begins, kind="stable")
    whole = bool(known.all())
    for at, length, end in zip(begins[order].tolist(), lengths[order].tolist(), ends[order].tolist(), strict=True):
        if whole:
            if length:
                yield at, end - length, end
            continue
        edges = np.flatnonzero(np.diff(known[end - length : end].astype(np.int8), prepend=0, append=0)).tolist()
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            yield at + round(first * NS / rate), end - length + first, end - length + last
