"""`infusion-monitor audit`: who did what, for people and for programs; and what commands leave there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drivers.clock import NS, iso
from drivers.errors import ConfirmationNeeded
from monitor import config_file
from monitor.cli.desk_client import DeskClient
from monitor.storage.database import Database
from monitor.storage.history import AuditRow, History
from monitor.storage.rows import audit_row
from monitor.storage.verify import verify
from tests.monitor.program import call

START = 1_767_225_600 * NS
ROWS = [
    AuditRow(START, "station", "journal migrated", "schema 4 to 5", "", "", ""),
    AuditRow(START + NS, "anna", "role changed", "ben (Ben Olsen)", "10.0.0.7", "nurse", "reviewer"),
    AuditRow(START + 2 * NS, "anna", "user added", "cleo (Cleo)", "command", "", "nurse"),
    AuditRow(START + 3 * NS, "ben", "token revoked", "Grafana", "", "viewer", ""),
    AuditRow(START + 4 * NS, "station", "damaged journal set aside", "in two\nlines", "", "", ""),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    database = Database(tmp_path / "journal.db")
    database.write([], [audit_row(*row[:4], origin=row.origin, old=row.old, new=row.new) for row in ROWS])
    database.close()
    return tmp_path


def test_audit_for_people(folder: Path) -> None:
    assert call("audit", "--data-dir", folder).stdout.splitlines() == [
        "2026-01-01T00:00:00.000000Z  station  journal migrated: schema 4 to 5",
        "2026-01-01T00:00:01.000000Z  anna (10.0.0.7)  role changed: ben (Ben Olsen)  [nurse -> reviewer]",
        "2026-01-01T00:00:02.000000Z  anna (command)  user added: cleo (Cleo)  [nurse]",
        "2026-01-01T00:00:03.000000Z  ben  token revoked: Grafana  [viewer -> ]",
        "2026-01-01T00:00:04.000000Z  station  damaged journal set aside: in two lines",
    ]


def test_audit_for_programs(folder: Path) -> None:
    told = call("audit", "--json", "--since", "2026-01-01T00:00:01Z", "--actor", "anna", "--data-dir", folder)
    assert [json.loads(line) for line in told.stdout.splitlines()] == [
        {**row._asdict(), "at": iso(row.at)} for row in ROWS[1:3]
    ]


def test_audit_is_read_as_it_was_written(folder: Path) -> None:
    history = History(folder)
    assert list(history.audit()) == ROWS
    assert list(history.audit(actor="ben", since=START, until=START + 4 * NS)) == [ROWS[3]]
    assert list(history.audit(since=START + 5 * NS)) == []
    assert verify(folder / "journal.db").holds


def test_sessions_that_are_changed_without_a_station_are_audited_once(tmp_path: Path) -> None:
    desk = DeskClient(tmp_path, lambda: config_file.load(config_file.default_path()))
    opening = {"verb": "open", "bed": "chair-1", "reference": "P-1", "by": "Kim", "request": "0123456789abcdef" * 2}
    desk.do(opening)
    desk.do(opening)
    desk.do({"verb": "phase", "session": "chair-1", "step": "baseline", "by": "Ben"})
    with pytest.raises(ConfirmationNeeded):
        desk.do({"verb": "phase", "session": "chair-1", "step": "start", "by": "Ben"})
    opened, begun = History(tmp_path).audit()
    assert opened[1:3] == ("Kim", "session open")
    assert begun[1:3] == ("Ben", "session phase")
    assert {opened.origin, begun.origin} == {"command"}
    assert "chair-1" in opened.detail
    assert (opened.new, begun.old, begun.new) == (
        "session opened, 40 min of infusion planned",
        "check_in",
        "baseline begun",
    )
    assert verify(tmp_path / "journal.db").holds
