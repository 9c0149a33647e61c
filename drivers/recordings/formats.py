"""Every format of recordings: a new one is a file in this folder and a line here. None is loaded before it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

from drivers.errors import BadCapture
from drivers.recordings.recording import Recording

_PIECE = 2**20


class Reader(Protocol):
    """Reads one file whole."""

    def __call__(self, path: Path, device: str = "") -> Recording:
        """The recording; with `device` only what a device of that name gave, where the format tells devices apart.

        Raises BadCapture, with the place, where it is no such file, and ExtraMissing where a library is not installed.
        """


FORMATS: Mapping[str, tuple[str, ...]] = {
    "csv": (".csv", ".csv.gz"),
    "wfdb": (".hea", ".zip"),
    "vital": (".vital",),
    "edf": (".edf",),
}
"""By the format's name, which is also its module's: the endings of its files."""


def reader(path: Path, name: str | None = None) -> Reader:
    """What reads that format; without a name, the one of the file's ending.

    Raises BadCapture where that is none, and where the file is a pipe or a device, which may never end.
    """
    chosen = name or by_ending(path)
    if chosen is None:
        endings = ", ".join(ending for endings in FORMATS.values() for ending in endings)
        raise BadCapture(f"{path}: is of no format that is known by its ending: say --format, or name it {endings}")
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise BadCapture(f"{path}: is a pipe or a device: a recording is a file")
    except OSError as error:
        raise BadCapture(f"{path}: {error.strerror or error}") from error
    read: Reader = import_module(f"drivers.recordings.{chosen}").read
    return read


def sha256(path: Path, name: str | None = None) -> str:
    """SHA-256 of the file; of a format that has several, of all of them one after the other, in hexadecimal digits.

    `name` as for `reader`, which has read it. Raises BadCapture.
    """
    module = import_module(f"drivers.recordings.{name or by_ending(path)}")
    files: Sequence[Path] = module.files(path) if hasattr(module, "files") else (path,)
    made = hashlib.sha256()
    try:
        for one in files:
            with one.open("rb") as file:
                while piece := file.read(_PIECE):
                    made.update(piece)
    except OSError as error:
        raise BadCapture(f"{path}: {error.strerror or error}") from error
    return made.hexdigest()


def by_ending(path: Path) -> str | None:
    """The format of which a file of that name is."""
    name = path.name.lower()
    endings = {ending: format_ for format_, several in FORMATS.items() for ending in several}
    # The longest says most.
    found = [ending for ending in endings if name.endswith(ending)]
    return endings[max(found, key=len)] if found else None
