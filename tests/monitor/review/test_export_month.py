"""`infusion-monitor export`: one session, and a month of them, as files."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from drivers.errors import ConfigError, ExtraMissing, SessionUnknown
from monitor.cli.export import export
from monitor.cli.records import Source as Where
from monitor.review.exports.registry import EXPORTERS, Export
from monitor.sessions.entries import Entry, Kind
from monitor.storage.database import Database
from monitor.storage.rows import entry_row
from tests.monitor.program import call
from tests.monitor.review.recorded_session import START

Run = Callable[..., None]


@pytest.fixture
def run(made_up: Path) -> Run:
    """The command on the journal that is made up."""

    def run(session: str | None = None, format_: str = "csv", **options: Any) -> None:
        asked = {"month": None, "as_signed": False, "from_": Where.JOURNAL, "site": None, "config": None, **options}
        export(session=session, format_=format_, data_dir=made_up, **asked)

    return run


def texts(file: Path) -> list[str]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        return [line["Text"] for line in csv.DictReader(opened) if line["Text"]]


def test_one_session_to_a_file_or_into_a_folder_or_to_the_standard_output(
    run: Run, made_up: Path, tmp_path: Path
) -> None:
    run("visit-1", output=tmp_path / "one.csv")
    run("visit-1", output=tmp_path)
    named = tmp_path / "P-017_visit-1.csv"
    assert named.read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert named.stat().st_mode & 0o077 == 0
    printed = call("export", "visit-1", "--format", "csv", "-o", "-", "--data-dir", made_up)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert len(printed.stdout.splitlines()) == len(named.read_text(encoding="utf-8-sig").splitlines())


def test_as_signed_has_nothing_that_was_entered_since(run: Run, tmp_path: Path) -> None:
    run("visit-1", output=tmp_path / "now.csv")
    run("visit-1", output=tmp_path / "signed.csv", as_signed=True)
    now, signed = texts(tmp_path / "now.csv"), texts(tmp_path / "signed.csv")
    assert len(now) == len(signed) + 1
    assert any("café" in text for text in now)
    assert not any("café" in text for text in signed)
    with pytest.raises(SessionUnknown, match="visit-2 was never signed"):
        run("visit-2", output=tmp_path / "open.csv", as_signed=True)
    assert not (tmp_path / "open.csv").exists()


def test_a_month_is_a_file_for_each_session_and_replaces_what_is_there(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "november"
    run(month="2026-11", output=folder)
    assert sorted(it.name for it in folder.iterdir()) == ["P-017_visit-1.csv", "P-018_visit-2.csv"]
    before = (folder / "P-017_visit-1.csv").read_bytes()
    (folder / "P-017_visit-1.csv").write_text("old")
    run(month="2026-11", output=folder)
    assert (folder / "P-017_visit-1.csv").read_bytes() == before
    run(month="2026-10", output=folder)
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"{folder}: 2 of 2 sessions of 2026-11",
        f"{folder}: 0 of 0 sessions of 2026-10",
    ]


def test_a_bad_session_does_not_stop_the_others_and_leaves_its_old_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Failing:
        name, suffix, media_type, extra = "failing", ".txt", "text/plain", ""

        def write(self, made: Export, file: Any) -> None:
            file.write(b"half")
            if made.chart.session.id == "visit-1":
                raise ValueError("of that")

    monkeypatch.setitem(EXPORTERS, "failing", Failing)
    (tmp_path / "P-017_visit-1.txt").write_text("old")
    with pytest.raises(typer.Exit) as ended:
        run(format_="failing", month="2026-11", output=tmp_path)
    assert ended.value.exit_code == 1
    assert {it.name: it.read_text() for it in tmp_path.iterdir()} == {
        "P-017_visit-1.txt": "old",
        "P-018_visit-2.txt": "half",
    }
    told = capsys.readouterr()
    assert told.out == f"{tmp_path}: 1 of 2 sessions of 2026-11\n"
    assert told.err.splitlines()[1:] == ["P-017 visit-1: ValueError('of that')"]


def test_a_library_that_is_missing_is_told_once(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise ExtraMissing("pyarrow is needed")

    monkeypatch.setattr("monitor.review.exports.parquet.ParquetExporter.write", missing)
    with pytest.raises(ExtraMissing, match="pyarrow is needed"):
        run(format_="parquet", month="2026-11", output=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"session": "visit-1", "format_": "xls"}, "--format xls: expected one of csv, parquet, fhir"),
        ({}, "expected either a session or --month"),
        ({"session": "visit-1", "month": "2026-11"}, "expected either a session or --month"),
        ({"month": "2026-13"}, "--month 2026-13: expected a month like 2026-11"),
        ({"month": "November"}, "--month November: expected a month like 2026-11"),
        ({"month": "2026-11", "output": Path("-")}, "expected a folder"),
        ({"session": "visit-1", "output": Path("/nowhere/x.csv")}, "/nowhere/x.csv cannot be written: No such file"),
    ],
)
def test_what_cannot_be_meant_is_refused(run: Run, tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        run(**{"output": tmp_path / "x", **options})


def test_no_reference_leads_out_of_the_folder(tmp_path: Path) -> None:
    content = {"reference": "../../P 1", "planned_minutes": 40, "profile": "site"}
    journal = Database(tmp_path / "journal.db")
    journal.write([], [entry_row(Entry("s", 1, Kind.OPENED, START, START, "Kim", "chair-1", content, "s-1"))])
    journal.close()
    export(
        session="s",
        format_="csv",
        output=tmp_path,
        month=None,
        as_signed=False,
        from_=Where.JOURNAL,
        site=None,
        config=None,
        data_dir=tmp_path,
    )
    assert [it.name for it in tmp_path.glob("*.csv")] == ["_.._P_1_s.csv"]


@pytest.mark.parametrize("name", EXPORTERS)
def test_every_format_has_what_a_download_needs(name: str) -> None:
    exporter = EXPORTERS[name]()
    assert exporter.name == name
    assert exporter.suffix.startswith(".")
    assert "/" in exporter.media_type
