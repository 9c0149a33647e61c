"""Recordings of PhysioNet's WFDB: a header `NAME.hea` with its files of signals beside it, or a .zip of one record.

Read with the package `wfdb`. Signals of up to 10 values a second are vitals by their names and units, faster ones are
waveforms, as the integers of the file. What the format calls an invalid sample is no value. The base date and time are
taken for UTC, since the format names no zone; a record without a date has none. Records of several segments, and
signals in compressed files, are not read.
"""

from __future__ import annotations

import re
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from drivers.clock import NS
from drivers.errors import BadCapture, extra
from drivers.recordings.bounds import MOST_SAMPLES, named
from drivers.recordings.recording import Recording
from drivers.recordings.sampled import Said, Signal, sampled

_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_]+)?")
"""What a record and its files may be called: nothing that leads out of the folder."""
_COUNT = re.compile(r"[0-9]{1,12}")
_RATE = re.compile(r"[0-9]*\.?[0-9]+(?:e-?[0-9]{1,2})?(?:/|$)")
_FORM = re.compile(r"([0-9]{1,3})(?:x([0-9]{1,6}))?(?::[0-9]{1,9})?(?:\+[0-9]{1,12})?")
"""Of samples: its number, samples a frame, skew and the bytes before the first."""
_FORMATS = {
    "8": 1.0,
    "16": 2.0,
    "24": 3.0,
    "32": 4.0,
    "61": 2.0,
    "80": 1.0,
    "160": 2.0,
    "212": 1.5,
    "310": 4 / 3,
    "311": 4 / 3,
}
"""Of each form of samples that is read, the bytes of one."""
_ANNOTATIONS = ".atr"
_MOST_FILES = 50
_MOST_BYTES = 2**30
"""Of all files of a record."""
_LONGEST_HEADER = 2**20
_PIECE = 2**20


def read(path: Path, device: str = "") -> Recording:  # noqa: ARG001 - a record does not tell devices apart
    """The whole record. Raises BadCapture with the file that is wrong, and ExtraMissing."""
    try:
        if path.suffix.lower() == ".zip":
            with _unzipped(path) as header:
                return _record(path, header)
        return _record(path, path)
    except OSError as error:
        raise BadCapture(f"{path}: {error.strerror or error}") from error


def files(path: Path) -> list[Path]:
    """The header and its files of signals, in the header's order; a .zip is one file. Raises BadCapture."""
    if path.suffix.lower() == ".zip":
        return [path]
    try:
        return [path, *(path.parent / name for name in _check(path, path))]
    except OSError as error:
        raise BadCapture(f"{path}: {error.strerror or error}") from error


def _record(path: Path, header: Path) -> Recording:
    _check(path, header)
    with warnings.catch_warnings(), extra("wfdb", "wfdb"):
        # What it warns of is said of its own ways, not of the file.
        warnings.simplefilter("ignore")
        import wfdb  # noqa: PLC0415 - an extra, and a large one
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            record = wfdb.rdrecord(str(header.with_suffix("")), physical=False, smooth_frames=False)
            physical = record.dac(expanded=True)
            begins_at = _begins_at(record)
            said = _said(wfdb, header, begins_at)
    except Exception as error:
        # It raises whatever a damaged file makes Python raise.
        raise BadCapture(f"{path}: the record cannot be read: {type(error).__name__}: {named(str(error))}") from error
    return sampled(path, _signals(record, physical), begins_at, said)


def _signals(record: Any, physical: Any) -> Iterator[Signal]:
    for number in range(record.n_sig):
        gain = float(record.adc_gain[number])
        yield Signal(
            str(record.sig_name[number] or ""),
            str(record.units[number] or ""),
            float(record.fs) * int(record.samps_per_frame[number]),
            np.asarray(record.e_d_signal[number], np.int64),
            ~np.isnan(np.asarray(physical[number], np.float64)),
            1 / gain,
            -float(record.baseline[number]) / gain,
        )


def _said(wfdb: Any, header: Path, begins_at: int) -> list[Said]:
    if not header.with_suffix(_ANNOTATIONS).exists():
        return []
    read = wfdb.rdann(str(header.with_suffix("")), _ANNOTATIONS[1:])
    notes = zip(read.sample.tolist(), read.aux_note or (), strict=False)
    return [Said(begins_at + round(at * NS / read.fs), 0.0, text.rstrip("\0")) for at, text in notes if read.fs]


def _begins_at(record: Any) -> int:
    begins: datetime | None = record.base_datetime
    if begins is None or not isinstance(record.base_date, date):
        return 0
    since = begins.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * NS + since.microseconds * 1000


def _check(path: Path, header: Path) -> list[str]:
    """The files of its signals. Raises BadCapture where a header says what they cannot hold, or leads elsewhere.

    The package itself makes room for all that a header says before it looks at the files.
    """
    lines = _lines(path, header)
    (number, first), signals = lines[0], lines[1:]
    where = f"{path}: {header.name}:{number}"
    if "/" in first[0]:
        raise BadCapture(f"{where}: a record of several segments is not read: give the header of one")
    if first[0] != header.stem:
        raise BadCapture(f"{where}: is the header of a record called {named(first[0])}")
    if len(first) < 4 or not (_COUNT.fullmatch(first[1]) and _RATE.match(first[2]) and _COUNT.fullmatch(first[3])):
        raise BadCapture(f"{where}: expected the record's name, its signals, their frequency and their length")
    if not signals or len(signals) != int(first[1]):
        raise BadCapture(f"{where}: says that it has {first[1]} signals, and describes {len(signals)}")
    needed: dict[str, float] = {}
    for line, words in signals:
        name, size = _file_of(f"{path}: {header.name}:{line}", words)
        needed[name] = needed.get(name, 0.0) + int(first[3]) * size
    if sum(needed.values()) > 4 * MOST_SAMPLES:
        raise BadCapture(f"{where}: says that it has {first[3]} samples of a signal: that is no recording of one bed")
    for name, size in needed.items():
        there = (header.parent / name).stat().st_size
        if there < int(size):
            raise BadCapture(f"{path}: {name}: has {there:,} bytes, and its header says {int(size):,}: truncated?")
    return list(needed)


def _lines(path: Path, header: Path) -> list[tuple[int, list[str]]]:
    """The lines of a header that say something, with their numbers, each as its words."""
    if header.suffix != ".hea":
        raise BadCapture(f"{path}: is no header of a WFDB record: its name ends in .hea")
    with header.open("rb") as file:
        data = file.read(_LONGEST_HEADER)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadCapture(f"{path}: {header.name}: not text in UTF-8: {error.reason}") from error
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if not line.startswith("#")]
    if not (found := [(number, words) for number, words in lines if words]):
        raise BadCapture(f"{path}: {header.name}: is no header of a WFDB record")
    return found


def _file_of(where: str, words: Sequence[str]) -> tuple[str, float]:
    """The file of a signal, and how many bytes a moment of the signal takes there."""
    form = _FORM.fullmatch(words[1]) if len(words) > 1 else None
    if form is None or form[1] not in _FORMATS:
        raise BadCapture(f"{where}: samples of a form that is not read")
    if not _NAME.fullmatch(words[0]):
        raise BadCapture(f"{where}: {named(words[0])!r} is no file beside it")
    return words[0], int(form[2] or 1) * _FORMATS[form[1]]


@contextmanager
def _unzipped(path: Path) -> Iterator[Path]:
    """The header of the one record in the .zip, with its files in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        try:
            with zipfile.ZipFile(path) as archive:
                _unpack(path, archive, folder)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise BadCapture(f"{path}: a damaged .zip: {error}") from error
        headers = sorted(folder.glob("*.hea"))
        if len(headers) != 1:
            raise BadCapture(f"{path}: has {len(headers)} headers (.hea); expected those files of one WFDB record")
        yield headers[0]


def _unpack(path: Path, archive: zipfile.ZipFile, folder: Path) -> None:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > _MOST_FILES:
        raise BadCapture(f"{path}: has {len(members)} files: that is no record")
    left = _MOST_BYTES
    for member in members:
        name = PurePosixPath(member.filename).name
        if not _NAME.fullmatch(name):
            continue
        with archive.open(member) as packed, (folder / name).open("wb") as file:
            while piece := packed.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise BadCapture(f"{path}: has more than {_MOST_BYTES:,} bytes, unpacked: no recording of one bed")
                file.write(piece)
