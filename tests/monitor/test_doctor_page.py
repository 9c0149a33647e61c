"""`doctor` about the page: its certificate, and who can log in."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.accounts.store import ACCOUNTS_FILE, AccountStore, State, User
from monitor.doctor import page
from monitor.doctor.examination import examine
from monitor.doctor.findings import Check, Finding, Level, subject_of
from monitor.web.settings import TlsConfig
from tests.monitor.web.certificates import certificate

SITE = "data_dir: {data}\nbeds: [{{id: chair-1, devices: [{{id: ox, driver: nonin, url: simulated}}]}}]\n{more}"
WIDE = "web: {{host: {host}, tls: {{cert_file: {cert}, key_file: {key}}}}}\n"
ANNA = {"login": "anna", "name": "Anna", "role": "admin", "password": "$argon2id$x", "created_at": 0}


@pytest.fixture
def made(tmp_path: Path) -> TlsConfig:
    return certificate(tmp_path / "tls")


def found(tmp_path: Path, check: Check, more: str = "") -> list[Finding]:
    (tmp_path / "data").mkdir(exist_ok=True)
    file = tmp_path / "site.yaml"
    file.write_text(SITE.format(data=tmp_path / "data", more=more), encoding="utf-8")
    return list(examine(subject_of(file, None), (check,)))


def wide(made: TlsConfig, host: str = "station.example") -> str:
    return WIDE.format(host=host, cert=made.cert_file, key=made.key_file)


def has(tmp_path: Path, **changes: object) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    user = User.model_validate({**ANNA, **changes})
    AccountStore(tmp_path / "data").write(State(users=(user,), tokens=(), logins=()))


def test_a_certificate_that_browsers_take_is_well(tmp_path: Path, made: TlsConfig) -> None:
    assert [it.level for it in found(tmp_path, page.certificate, wide(made))] == [Level.OK]
    assert found(tmp_path, page.certificate) == []


def test_a_certificate_for_another_name_is_a_fault(tmp_path: Path, made: TlsConfig) -> None:
    [only] = found(tmp_path, page.certificate, wide(made, "other.example"))
    assert only.level is Level.FAULT
    assert "other.example" in only.text


def test_a_wide_page_into_which_nobody_can_log_in_is_a_fault(tmp_path: Path, made: TlsConfig) -> None:
    [only] = found(tmp_path, page.accounts, wide(made))
    assert (only.level, "user add" in only.advice) == (Level.FAULT, True)
    has(tmp_path, disabled=True)
    assert found(tmp_path, page.accounts, wide(made))[0].level is Level.FAULT
    has(tmp_path)
    assert found(tmp_path, page.accounts, wide(made))[0].level is Level.OK


def test_no_accounts_on_a_page_of_this_machine_is_worth_a_note(tmp_path: Path) -> None:
    assert [it.level for it in found(tmp_path, page.accounts)] == [Level.NOTE]


def test_damaged_accounts_are_a_fault_and_shown_to_nobody(tmp_path: Path) -> None:
    has(tmp_path)
    (tmp_path / "data" / ACCOUNTS_FILE).write_text('{"users": "secret"}', encoding="utf-8")
    [only] = found(tmp_path, page.accounts)
    assert only.level is Level.FAULT
    assert "secret" not in only.text
