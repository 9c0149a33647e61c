"""Whether the journal still says what was written: `infusion-monitor verify`.

Read-only, of one moment, and in a streaming way: neither a running station nor ten million readings are in its way.
Each check gives one sentence, of what holds or of the first that does not. What nothing vouches for, and is therefore
not checked: readings since the last seal, waveforms, device events, and rows cut off the end of the chain, for which
there is the head that was noted elsewhere.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from drivers.errors import JournalUnusable
from monitor.storage import chain
from monitor.storage.check import fault
from monitor.storage.connection import connect
from monitor.storage.migration import SCHEMAS
from monitor.storage.verify_blocks import Unlike, moment
from monitor.storage.verify_readings import ReadingsCheck

_NOT_ITS_FAULT = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
"""What SQLite says when the file cannot be read for reasons outside of it."""

_OBJECTS = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite~_%' ESCAPE '~'"
_BESIDE = """
    SELECT min(id) FROM {0}
    WHERE NOT EXISTS (SELECT 1 FROM chain WHERE source = '{0}' AND row_id = {0}.id)"""
_NAMED_BY = {
    "alerts": ("bed", "rule", "at"),
    "audit": ("actor", "action", "at"),
    "seals": ("sealed_at",),
    "removals": ("removed_at",),
    "session_entries": ("session", "number", "kind", "author", "at"),
}
"""What of a row tells a person which one it is, where that is not all of it."""


class Head(NamedTuple):
    """The end of the chain: whoever notes it elsewhere can later tell whether the chain still contains it."""

    id: int
    """0 for the beginning, before any row."""
    hash: bytes

    def __str__(self) -> str:
        return f"{self.id}:{self.hash.hex()}"


BEGINNING = Head(0, chain.BEGINNING)


class Check(NamedTuple):
    """One check and its outcome."""

    name: str
    holds: bool
    text: str


class Verified(NamedTuple):
    """What `verify` found."""

    checks: list[Check]
    readings: int
    """Readings that seals vouch for."""
    not_sealed: int
    """Readings since the last seal."""
    head: Head | None
    """None where the chain cannot be read."""

    @property
    def holds(self) -> bool:
        """Whether everything does."""
        return all(check.holds for check in self.checks)


def verify(path: Path, noted: Head | None = None) -> Verified:
    """Check the journal at `path`, or a backup of one; `noted` is a head that its chain has to contain.

    Raises JournalUnusable where it cannot be read at all, or is of another version of the program.
    """
    try:
        with contextlib.closing(connect(path)) as connection:
            connection.execute("BEGIN")
            return _verify(connection, noted)
    except (OSError, sqlite3.Error) as error:
        raise JournalUnusable(f"the journal {path} cannot be read: {error}") from error


def _verify(connection: sqlite3.Connection, noted: Head | None) -> Verified:
    checks = [_tried("file", lambda: _file(connection))]
    if not checks[0].holds:
        checks.append(Check("rest", False, "was not checked: have the file recovered first, `doctor` says how"))
        return Verified(checks, 0, 0, None)
    readings = ReadingsCheck(connection)
    checks.append(_tried("form", lambda: _form(connection)))
    checks.append(_tried("chain", lambda: _chain(connection)))
    checks.append(_tried("beside", lambda: _beside(connection)))
    checks.append(_tried("seals", readings.seals))
    checks.append(_tried("charts", readings.charts))
    if noted is not None:
        checks.append(_tried("head", lambda: _contains(connection, noted)))
    head = None
    try:
        head = head_of(connection)
    except sqlite3.DatabaseError as error:
        checks.append(_unreadable("head", error))
    return Verified(checks, readings.sealed, readings.not_sealed, head)


def _tried(name: str, check: Callable[[], str]) -> Check:
    """The outcome of a check that gives the text of what holds, or raises Unlike with what does not."""
    try:
        return Check(name, True, check())
    except Unlike as unlike:
        return Check(name, False, _printable(str(unlike)))
    except sqlite3.Error as error:
        return _unreadable(name, error)


def _unreadable(name: str, error: sqlite3.Error) -> Check:
    if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _NOT_ITS_FAULT:
        raise error
    return Check(name, False, _printable(f"SQLite cannot read what this looks at: {error}"))


def _file(connection: sqlite3.Connection) -> str:
    if found := fault(connection):
        raise Unlike(f"SQLite finds the file damaged (quick_check: {found})")
    return "SQLite finds no damage in the file (quick_check)"


def _form(connection: sqlite3.Connection) -> str:
    """Tables, indexes and the triggers that refuse changes: each as the program makes it, and none beside them."""
    with contextlib.closing(sqlite3.connect(":memory:")) as made:
        for number in sorted(SCHEMAS):
            made.executescript(SCHEMAS[number])
        expected = {(kind, name): sql for kind, name, sql in made.execute(_OBJECTS)}
    there = {(kind, name): sql for kind, name, sql in connection.execute(_OBJECTS)}
    for (kind, name), sql in expected.items():
        if (kind, name) not in there:
            raise Unlike(f"the {kind} {name} was taken out")
        if there[kind, name] != sql:
            raise Unlike(f"the {kind} {name} is not as the program made it")
    for kind, name in sorted(there.keys() - expected.keys()):
        # A table or index more changes nothing of what the others hold.
        if kind in {"trigger", "view"}:
            raise Unlike(f"the {kind} {name} is not of this program")
    return "tables, indexes and the triggers that refuse changes are there as the program made them"


def _chain(connection: sqlite3.Connection) -> str:
    connection.text_factory = _any_text
    try:
        number, before = 0, chain.BEGINNING
        for number, (row_id, source, bound, link) in enumerate(_links(connection), start=1):
            if row_id != number:
                what = f"row {row_id} was added before the first" if row_id < number else f"row {number} is missing"
                raise Unlike(f"{what} of the chain: what it bound can have been taken out or changed")
            if source not in chain.CHAINED:
                raise Unlike(f"row {row_id} of the chain was changed: it binds no row that it could")
            try:
                columns, row = chain.row_of(connection, source, bound)
            except LookupError:
                raise Unlike(f"{source} row {bound} is missing: row {row_id} of the chain binds it") from None
            if chain.next_hash(before, source, columns, row) != link:
                raise Unlike(_broken(connection, row_id, link, _named(connection, source, bound)))
            before = link
    finally:
        connection.text_factory = str
    return f"{number:,} rows of {', '.join(chain.CHAINED)} are as they were written, in their order"


def _links(connection: sqlite3.Connection) -> Iterator[tuple[int, str, int, bytes]]:
    yield from connection.execute("SELECT id, source, row_id, hash FROM chain ORDER BY id")


def _broken(connection: sqlite3.Connection, row_id: int, link: bytes, which: str) -> str:
    """Whether it is the row or its hash: what comes after a changed row still follows from the row's old hash."""
    after = connection.execute("SELECT source, row_id, hash FROM chain WHERE id = ?", (row_id + 1,)).fetchone()
    if after is not None and after[0] in chain.CHAINED:
        source, bound, link_after = after
        with contextlib.suppress(LookupError):
            columns, row = chain.row_of(connection, source, bound)
            if chain.next_hash(link, source, columns, row) != link_after:
                return f"{which}, or its hash in row {row_id} of the chain, was changed after it was written"
    return f"{which} was changed after it was written"


def _named(connection: sqlite3.Connection, source: str, row_id: int) -> str:
    """A row in words, by what it says now."""
    columns, row = chain.row_of(connection, source, row_id)
    content = dict(zip(columns, row, strict=True))
    names = _NAMED_BY.get(source, columns[1:])
    words = [moment(content[name]) if name.endswith("at") else str(content[name]) for name in names]
    return f"{source} row {row_id} ({', '.join(words)})"


def _beside(connection: sqlite3.Connection) -> str:
    connection.text_factory = _any_text
    try:
        for source in chain.CHAINED:
            (row_id,) = connection.execute(_BESIDE.format(source)).fetchone()
            if row_id is not None:
                raise Unlike(f"{_named(connection, source, row_id)} was added beside the chain")
    finally:
        connection.text_factory = str
    return "no row was added beside the chain"


def head_of(connection: sqlite3.Connection) -> Head:
    """The end of the chain."""
    last = connection.execute("SELECT id, hash FROM chain ORDER BY id DESC LIMIT 1").fetchone()
    return Head(*last) if last else BEGINNING


def _contains(connection: sqlite3.Connection, noted: Head) -> str:
    there = connection.execute("SELECT hash FROM chain WHERE id = ?", (noted.id,)).fetchone()
    if noted.id == 0:
        there = (chain.BEGINNING,)
    if there is None:
        last = head_of(connection).id
        raise Unlike(
            f"the chain ends with row {last} and the noted head is row {noted.id}: "
            "its end was cut off, or this is another journal"
        )
    if there[0] != noted.hash:
        raise Unlike(
            f"row {noted.id} of the chain has not the noted hash: the journal was written anew, or is another one"
        )
    return f"the chain contains the noted head, row {noted.id}"


def _any_text(raw: bytes) -> str:
    """Text as it is, though somebody put there what is none: such a row has to be found, not stumbled over."""
    return raw.decode(errors="surrogateescape")


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
