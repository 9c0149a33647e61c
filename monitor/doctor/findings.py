"""What the checks look at, and what they give."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from drivers.errors import ConfigError, JournalUnusable
from monitor import config_file
from monitor.config import BedConfig, DeviceConfig, StationConfig
from monitor.config_faults import Fault
from monitor.storage.connection import JOURNAL_FILE, connect
from monitor.storage.lock import StationLock


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    """To be known; nobody has to act."""
    FAULT = "fault"
    """Somebody has to act."""


class Finding(NamedTuple):
    """One line of the doctor's."""

    level: Level
    what: str
    """The thing looked at, a word or two."""
    text: str
    """What was found; never a secret."""
    advice: str = ""
    """What to do; there is none for what is well."""


def ok(what: str, text: str) -> Finding:
    """It is well."""
    return Finding(Level.OK, what, text)


def note(what: str, text: str, advice: str = "") -> Finding:
    """It is to be known."""
    return Finding(Level.NOTE, what, text, advice)


def fault(what: str, text: str, advice: str) -> Finding:
    """Somebody has to act."""
    return Finding(Level.FAULT, what, text, advice)


@dataclass(frozen=True, slots=True)
class Subject:
    """The station that is looked at."""

    file: Path
    """Its configuration."""
    config: StationConfig | None
    """None where the file cannot be read as one."""
    config_faults: tuple[str, ...]
    data_dir: Path | None
    """None where it is not given and the configuration does not say."""
    deep: bool
    """Whether checks may take minutes."""

    @property
    def journal(self) -> Path | None:
        """The journal's file; None where there is none yet."""
        path = None if self.data_dir is None else self.data_dir / JOURNAL_FILE
        return path if path is not None and path.exists() else None

    def devices(self) -> Iterator[tuple[BedConfig, DeviceConfig]]:
        """Every configured device with its bed."""
        for bed in self.config.beds if self.config else ():
            for device in bed.devices:
                yield bed, device

    @contextlib.contextmanager
    def reading_journal(self) -> Iterator[sqlite3.Connection | None]:
        """The journal for a check; None where there is none that can be opened, which the journal's own check says."""
        connection = None
        if self.journal is not None:
            with contextlib.suppress(JournalUnusable, sqlite3.Error, OSError):
                connection = connect(self.journal)
        try:
            yield connection
        finally:
            if connection is not None:
                connection.close()

    def holder(self) -> str | None:
        """The process of the station that runs on the data folder; None where none does. Raises OSError."""
        if self.data_dir is None:
            return None
        return StationLock(self.data_dir).holder()

    def runs(self) -> bool:
        """Whether a station runs, as far as one can tell."""
        try:
            return self.holder() is not None
        except OSError:
            return False


Check = Callable[[Subject], Iterator[Finding]]


def subject_of(
    file: Path, data_dir: Path | None, *more: Callable[[StationConfig], Iterator[Fault]], deep: bool = False
) -> Subject:
    """What there is to look at; `more` are checks of the configuration, as `config_file.load` takes them."""
    config = None
    faults: tuple[str, ...] = ()
    try:
        config = config_file.load(file, *more)
    except ConfigError as error:
        faults = tuple(error.faults)
        # What else is wrong can still be looked at where only a password or a file is missing.
        with contextlib.suppress(ConfigError):
            config = config_file.load(file, here=False)
    if data_dir is None and config is not None:
        data_dir = Path(config.data_dir)
    return Subject(file, config, faults, data_dir, deep)
