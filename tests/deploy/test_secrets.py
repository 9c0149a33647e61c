"""`deploy/make-secrets.sh`: what it makes, and what it leaves alone."""

from __future__ import annotations

import os
import shutil
import ssl
import stat
import subprocess
from pathlib import Path

import pytest

from tests.deploy import secrets
from tests.services import require

PASSWORDS = ("grafana_admin_password", "influxdb_admin_password", "influxdb_admin_token", "mqtt_station_password")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_password_is_another_and_none_is_guessable(tmp_path: Path) -> None:
    folder = secrets.made(tmp_path / "secrets", "--monitor", "chair-1/monitor", "--monitor", "chair-2/monitor")
    monitors = [folder / "monitors" / bed / "monitor" for bed in ("chair-1", "chair-2")]
    found = [secrets.text(file) for file in (*(folder / name for name in PASSWORDS), *monitors)]
    assert len(set(found)) == len(found) == 6
    assert all(len(password) == 64 for password in found)
    assert secrets.text(folder / "influxdb_write_token") == ""


def test_nobody_else_can_enter_the_folder(tmp_path: Path) -> None:
    folder = secrets.made(tmp_path / "secrets", "--monitor", "chair-1/monitor")
    for inner in (folder, folder / "monitors"):
        assert stat.S_IMODE(inner.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o400


def test_a_second_run_adds_and_changes_nothing_that_is_there(tmp_path: Path) -> None:
    folder = secrets.made(tmp_path / "secrets", "--monitor", "chair-1/monitor")
    (folder / "influxdb_write_token").write_text("given by setup")
    before = contents(folder)
    secrets.made(folder, "--monitor", "chair-2/monitor")
    after = contents(folder)
    assert set(after) - set(before) == {"monitors/chair-2/monitor"}
    assert {name for name in before if before[name] != after[name]} == {"mosquitto_passwords"}
    users = [line.split(":")[0] for line in secrets.text(folder / "mosquitto_passwords").splitlines()]
    assert users == ["station", "chair-1/monitor", "chair-2/monitor"]


def test_the_brokers_file_has_no_password_in_clear(tmp_path: Path) -> None:
    folder = secrets.made(tmp_path / "secrets", "--monitor", "chair-1/monitor")
    passwords = secrets.text(folder / "mosquitto_passwords")
    assert all(":$" in line for line in passwords.splitlines())
    for file in (folder / "mqtt_station_password", folder / "monitors" / "chair-1" / "monitor"):
        assert secrets.text(file) not in passwords


def test_the_certificate_is_the_authoritys_for_all_names_and_strict_readers_take_it(tmp_path: Path) -> None:
    folder = secrets.made(tmp_path / "secrets", "--host", "station.clinic.example", "--host", "192.168.10.5")
    verify = [require("openssl"), "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", folder / "ca.pem"]
    for name in (
        ("-verify_hostname", "station.clinic.example"),
        ("-verify_ip", "192.168.10.5"),
        ("-verify_hostname", "localhost"),
    ):
        subprocess.run(
            [*verify, *name, folder / "broker.pem"], check=True, capture_output=True, timeout=secrets.PATIENCE
        )
    other = subprocess.run(
        [*verify, "-verify_hostname", "elsewhere.example", folder / "broker.pem"],
        check=False,
        capture_output=True,
        timeout=secrets.PATIENCE,
    )
    assert other.returncode != 0
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(folder / "broker.pem", folder / "broker.key")


def test_a_certificate_that_lacks_a_name_is_said(tmp_path: Path) -> None:
    folder = secrets.made(tmp_path / "secrets", "--host", "station.clinic.example")
    again = secrets.run("--folder", folder, "--host", "new.clinic.example")
    assert "broker.pem is not for new.clinic.example" in again.stderr
    (folder / "broker.pem").unlink()
    assert "is not for" not in secrets.run("--folder", folder, "--host", "new.clinic.example").stderr
    assert secrets.run("--folder", folder, "--host", "new.clinic.example").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--monitor", "chair-1"), "expected BED/DEVICE"),
        (("--monitor", "chair-1/#"), "expected BED/DEVICE"),
        (("--monitor", "../chair-1/monitor"), "expected BED/DEVICE"),
        (("--host", "a b"), "expected a name or an address"),
        (("--host",), "expected a value"),
        (("--colour", "red"), "unknown"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    result = secrets.run("--folder", tmp_path / "secrets", *arguments)
    assert result.returncode == 2
    assert said in result.stderr
    assert not (tmp_path / "secrets").exists()


def test_without_mosquitto_it_says_what_is_missing(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bash", "openssl", "mkdir", "chmod", "mv", "rm", "cat", "dirname", "grep"):
        (programs / name).symlink_to(require(name))
    result = subprocess.run(
        [require("bash"), secrets.DEPLOY / "make-secrets.sh", "--folder", tmp_path / "secrets"],
        env={**os.environ, "PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
        timeout=secrets.PATIENCE,
    )
    assert result.returncode == 1
    assert "mosquitto_passwd is not here" in result.stderr
    assert not (tmp_path / "secrets" / "mosquitto_passwords").exists()


def test_git_does_not_see_them(tmp_path: Path) -> None:
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    repository = tmp_path / "copy"
    shutil.copytree(secrets.DEPLOY, repository / "deploy", ignore=shutil.ignore_patterns("secrets", "__pycache__"))
    secrets.made(repository / "deploy" / "secrets")
    subprocess.run([git, "init", "-q", repository], check=True, timeout=secrets.PATIENCE)
    seen = subprocess.run(
        [git, "-C", repository, "status", "--porcelain", "--untracked-files=all"],
        check=True,
        capture_output=True,
        text=True,
        timeout=secrets.PATIENCE,
    ).stdout
    assert "compose.yaml" in seen
    assert "secrets/" not in seen
