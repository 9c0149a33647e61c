"""Whether the readings are those that were sealed; each is looked up in the blocks of charts on the way."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from monitor.storage import sealing
from monitor.storage.retention import last_removed
from monitor.storage.sealing import SealedRow
from monitor.storage.verify_blocks import BlocksCheck, Unlike, moment

_SEALS = "SELECT id, first_commit, last_commit, sealed_at, readings, digest FROM seals ORDER BY id"


class ReadingsCheck:
    """The two checks over the readings that `connection` sees in its open transaction: `seals`, then `charts`.

    Each gives the text of what holds, or raises `Unlike`, or sqlite3.Error where SQLite cannot read something.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._blocks = BlocksCheck(connection)
        self._all_seen = False
        self.sealed = 0
        """Readings that seals vouch for."""
        self.not_sealed = 0
        """Readings of commits after the last seal."""

    def seals(self) -> str:
        """Every seal that retention has not emptied covers the readings that are there."""
        removed = last_removed(self._connection)
        first_unlike: Unlike | None = None
        count = end = 0
        for row_id, first, last, sealed_at, readings, digest in self._connection.execute(_SEALS):
            if first != end + 1 or last < first:
                raise Unlike(f"seals row {row_id} covers commits {first} to {last}: the one before ends with {end}")
            count, end = count + 1, last
            if last <= removed:
                continue
            rows = self._connection.execute(sealing.OF_COMMITS, (first, last)).fetchall()
            self.sealed += len(rows)
            self._blocks.look_up(rows)
            if first_unlike is None and (problem := _problem(rows, readings, digest)):
                where = f"seals row {row_id} (commits {first} to {last}, {moment(sealed_at)})"
                first_unlike = Unlike(f"{where}: {problem}")
        self._all_seen = True
        self._count_the_rest(removed, end)
        if first_unlike is not None:
            raise first_unlike
        gone = f"; readings up to commit {removed} were removed for their age" if removed else ""
        return f"{self.sealed:,} readings are as they were committed, by {count:,} seals{gone}"

    def _count_the_rest(self, removed: int, end: int) -> None:
        """Readings before and after those that seals cover."""
        newest = self._connection.execute("SELECT max(commit_no) FROM last_commit").fetchone()[0]
        left = self._number("WHERE commit_no <= ?", removed)
        self.not_sealed = self._number("WHERE commit_no > ?", end)
        if left:
            what = f"commits up to {removed}, which retention removed" if removed else "no commit"
            raise Unlike(f"{left:,} readings of {what} are there: they were added")
        if newest is None or newest < end:
            raise Unlike(f"the count of commits is {newest}, and seals go up to commit {end}: it was changed")
        if beyond := self._number("WHERE commit_no > ?", newest):
            raise Unlike(f"{beyond:,} readings are of commits after {newest}, the last one: they were added")
        by_commits = self.sealed + self.not_sealed
        if (there := self._number("NOT INDEXED")) != by_commits:
            raise Unlike(f"{there:,} readings are there, and {by_commits:,} in the index of their commits")

    def _number(self, which: str, *bound: int) -> int:
        number: int = self._connection.execute(f"SELECT count(*) FROM readings {which}", bound).fetchone()[0]  # noqa: S608 - ours
        return number

    def charts(self) -> str:
        """Blocks and summaries hold the readings that `seals` has found, and no others."""
        if not self._all_seen:
            raise Unlike("what charts are drawn from was not checked, since the seals are not whole")
        return self._blocks.outcome()


def _problem(rows: Sequence[SealedRow], readings: int, digest: bytes) -> str | None:
    if len(rows) < readings:
        return f"{readings - len(rows):,} of {readings:,} readings are missing"
    if len(rows) > readings:
        return f"{len(rows) - readings:,} readings were added to the {readings:,} that were sealed"
    return None if sealing.digest(rows) == digest else f"one or more of its {readings:,} readings were changed"
