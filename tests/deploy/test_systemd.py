"""The units of deploy/systemd, read by systemd's own tools, and the script of the nightly backup, run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.deploy import secrets
from tests.services import require

UNITS = secrets.DEPLOY / "systemd"
SERVICES = ("infusion-monitor.service", "infusion-monitor-backup.service")


def tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of systemd's tools; the test is skipped where it is missing, as it may be on any machine."""
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    return subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=secrets.PATIENCE
    )


def settings(unit: str) -> list[tuple[str, str]]:
    lines = (UNITS / unit).read_text(encoding="utf-8").splitlines()
    return [tuple(line.split("=", 1)) for line in lines if re.match(r"\w+=", line)]  # type: ignore[misc]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units with programs that are on this machine too, which `verify` looks for."""
    folder = tmp_path / "units"
    shutil.copytree(UNITS, folder)
    for unit in folder.glob("*.service"):
        text, changed = re.subn(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE)
        assert changed == 1
        unit.write_text(text)
    return folder


def test_systemd_finds_no_fault(installed: Path) -> None:
    units = sorted(path for path in installed.iterdir() if path.suffix in {".service", ".timer"})
    assert len(units) == 3
    verified = tool("systemd-analyze", "verify", *units)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_systemd_finds_a_fault_that_is_put_in(installed: Path) -> None:
    for drop_in in (installed / "infusion-monitor.service.d").iterdir():
        drop_in.write_text("[Service]\nLoadCredentials=misspelt\n")
    verified = tool("systemd-analyze", "verify", installed / "infusion-monitor.service")
    assert "LoadCredentials" in verified.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_the_services_are_shut_in(service: str) -> None:
    # 2.0 of 10; a service without any of this has 9.6.
    judged = tool("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", UNITS / service)
    if "offline" in judged.stderr:
        pytest.skip("this systemd-analyze judges running services only")
    assert judged.returncode == 0, judged.stdout[-2000:]


def test_serial_ports_stay_open_to_the_station() -> None:
    station = settings("infusion-monitor.service")
    assert "PrivateDevices" not in dict(station)
    assert [value for name, value in station if name == "DeviceAllow"] == [
        "char-ttyUSB rw",
        "char-ttyACM rw",
        "char-ttyS rw",
    ]
    assert ("SupplementaryGroups", "dialout") in station


def test_both_services_are_of_the_user_that_is_made(tmp_path: Path) -> None:
    users = {dict(settings(service))["User"] for service in SERVICES}
    folder = tmp_path / "etc"
    folder.mkdir()
    # Its own idea of who root is, so that it need not be this machine's.
    made = tool("systemd-sysusers", f"--root={tmp_path}", UNITS / "infusion-monitor.sysusers")
    assert made.returncode == 0, made.stderr
    names = {line.split(":")[0] for line in (folder / "passwd").read_text().splitlines()}
    assert users == {"infusion-monitor"}
    assert users <= names


STAND_IN = """#!/bin/sh
echo "$@" >> "$CALLS"
case $1 in
  backup) echo content > "$2" ;;
  verify) [ -z "${DAMAGED-}" ] || { echo "row 7 does not hold" >&2; exit 1; } ;;
esac
"""


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    program = tmp_path / "infusion-monitor"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    for days in (1, 29, 31, 400):
        old = folder / f"journal-{days}-days-old.sqlite"
        old.write_text("old")
        then = time.time() - days * 86400 - 3600
        os.utime(old, (then, then))
    return folder


def back_up(backups: Path, **environment: str | Path) -> subprocess.CompletedProcess[str]:
    given = {"PROGRAM": backups.parent / "infusion-monitor", "DATA_DIR": "data", "BACKUPS": backups, "KEEP_DAYS": "30"}
    return subprocess.run(
        [require("sh"), str(UNITS / "backup.sh")],
        env={
            **os.environ,
            "CALLS": str(backups.parent / "calls"),
            **{k: str(v) for k, v in (given | environment).items()},
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=secrets.PATIENCE,
    )


def kept(backups: Path) -> set[str]:
    return {path.name for path in backups.iterdir()}


def test_a_backup_is_verified_before_it_counts_and_old_ones_go(backups: Path) -> None:
    done = back_up(backups)
    assert done.returncode == 0, done.stderr
    [new] = [name for name in kept(backups) if re.fullmatch(r"journal-\d{4}-\d\d-\d\dT\d{6}Z\.sqlite", name)]
    assert kept(backups) == {new, "journal-1-days-old.sqlite", "journal-29-days-old.sqlite"}
    part = f"{backups / new}.part"
    assert (backups.parent / "calls").read_text().splitlines() == [f"backup {part} --data-dir data", f"verify {part}"]


def test_a_backup_that_does_not_hold_removes_nothing(backups: Path) -> None:
    before = kept(backups)
    done = back_up(backups, DAMAGED="yes")
    assert done.returncode != 0
    assert "row 7 does not hold" in done.stderr
    assert {name for name in kept(backups) if not name.endswith(".part")} == before
    # What it left is gone with the next one.
    assert back_up(backups).returncode == 0
    assert not any(name.endswith(".part") for name in kept(backups))


def test_a_backup_that_cannot_be_made_removes_nothing(backups: Path) -> None:
    before = kept(backups)
    assert back_up(backups, PROGRAM=backups / "none").returncode != 0
    assert kept(backups) == before


def test_the_backups_variables_are_what_its_script_needs() -> None:
    given = {
        name
        for key, value in settings("infusion-monitor-backup.service")
        if key == "Environment"
        for name in re.findall(r"(\w+)=", value)
    }
    needed = set(re.findall(r"\$\(?\(?([A-Z_]+)\b", (UNITS / "backup.sh").read_text()))
    assert needed <= given
