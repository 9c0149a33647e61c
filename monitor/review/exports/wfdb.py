"""WFDB (PhysioNet): a header, signals in format 16 and annotations, three files of one name in a .zip.

Signals of several rates stand in frames. -32768 is the format's own sign for "no value". Annotations are in the MIT
format, each a NOTE with its text, at a thousandth of a second. A text of more than 255 bytes goes on in further ones.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import BinaryIO

import numpy as np

from drivers.clock import NS
from monitor.review.exports.notes import Note, about, worded
from monitor.review.exports.registry import Export
from monitor.review.exports.signals import Signal, Signals, ascii_of, signals_of

_UNIT = "NU"
"""Of a signal without one."""
_LINE = 255
"""Characters of a header's line."""
_AUX = 255
"""Bytes of an annotation's text."""
_A_SECOND = 1000
"""Times of annotations are counted in that."""
_NOTE, _SKIP, _CHAN, _TEXT = 22, 59, 62, 63
"""Codes of the MIT format: an annotation's type, and what else a pair of bytes can be."""
_AFTER, _LONGEST_SKIP = 0x3FF, 0x7FFFFFFF
"""What an annotation can say of the time since the one before, by itself and with a skip."""
_CHANS = 256
_DATE = (1980, 1, 1, 0, 0, 0)
"""Of the files in the archive: the same chart makes the same bytes."""


class _Wfdb:
    name = "wfdb"
    suffix = ".zip"
    media_type = "application/zip"
    extra = ""

    def write(self, export: Export, file: BinaryIO) -> None:
        """See `Exporter.write`."""
        made = signals_of(export)
        record = re.sub(r"[^A-Za-z0-9_-]", "_", export.chart.session.id)
        files = {
            f"{record}.hea": _header(record, made, about(export.chart, export.site)).encode("ascii"),
            f"{record}.atr": annotation_file(made.notes, made.begins_at),
        }
        if made.signals:
            files[f"{record}.dat"] = _frames(made)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)
        file.write(packed.getbuffer())


EXPORTER = _Wfdb()


def _header(record: str, made: Signals, title: str) -> str:
    begins = datetime.fromtimestamp(made.begins_at // NS, UTC)
    # The frame is a power of two of seconds: its reciprocal has an end.
    first = f"{record} {len(made.signals)} {1 / made.frame:g} {made.seconds // made.frame} {begins:%H:%M:%S %d/%m/%Y}"
    lines = [first, *(_signal_line(record, signal, made.frame) for signal in made.signals)]
    text = ascii_of(title)
    lines += [f"# {text[at : at + _LINE - 2]}" for at in range(0, len(text), _LINE - 2)]
    for signal in made.signals:
        about = ", ".join(filter(None, [signal.device, signal.remark]))
        lines.append(f"# {ascii_of(f'{signal.name}: {about}')}"[:_LINE])
    return "".join(f"{line}\n" for line in lines)


def _signal_line(record: str, signal: Signal, frame: int) -> str:
    in_frame = int(signal.rate * frame)
    unit = re.sub(r"\s", "_", ascii_of(signal.unit.replace("°", "deg"))) or _UNIT
    gain = f"{10**signal.scale.decimals}({-signal.scale.base})/{unit}"
    checksum = int(signal.samples.sum(dtype=np.int64)) & 0xFFFF
    signed = checksum - 0x10000 if checksum & 0x8000 else checksum
    fields = [f"{record}.dat", f"16x{in_frame}", gain, "16", "0", str(signal.samples[0]), str(signed), "0"]
    return f"{' '.join(fields)} {ascii_of(signal.name)}"[:_LINE]


def _frames(made: Signals) -> bytes:
    count = made.seconds // made.frame
    return np.hstack([signal.samples.reshape(count, -1) for signal in made.signals]).astype("<i2").tobytes()


def annotation_file(notes: Iterable[Note], begins_at: int) -> bytes:
    """The notes, in order of time, as a file of annotations."""
    made = bytearray(_annotation(0, 0, f"## time resolution: {_A_SECOND}".encode()))
    before, chan = 0, 0
    for note in notes:
        # Readers take what stands at 0 for definitions, not for notes.
        at = max(1, round((note.at - begins_at) * _A_SECOND / NS))
        for part in _parts(worded(note)):
            # Two of one moment must differ in something.
            chan = (chan + 1) % _CHANS if at == before else 0
            made += _annotation(at - before, chan, part)
            before = at
    return bytes(made) + bytes(2)


def _annotation(after: int, chan: int, text: bytes) -> bytes:
    """One that comes so many thousandths of a second after the one before."""
    made = b""
    while after > _AFTER:
        skipped = min(after, _LONGEST_SKIP)
        made += struct.pack("<HHH", _SKIP << 10, skipped >> 16, skipped & 0xFFFF)
        after -= skipped
    made += struct.pack("<HHH", _NOTE << 10 | after, _CHAN << 10 | chan, _TEXT << 10 | len(text))
    return made + text + bytes(len(text) % 2)


def _parts(text: str) -> Iterator[bytes]:
    """The text in as few parts as there must be, none of which ends within a character."""
    left = text.replace("\0", " ").encode()
    while len(left) > _AUX:
        end = _AUX
        while left[end] & 0xC0 == 0x80:
            end -= 1
        yield left[:end]
        left = left[end:]
    yield left
