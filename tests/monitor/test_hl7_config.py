"""The section `hl7`: what it may say, what the doctor sees of the receiver, and the commands for dead letters."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from drivers.clock import NS
from drivers.errors import ConfigError
from monitor import config_file
from monitor.doctor import reach, records
from monitor.doctor.findings import Level, ok, subject_of
from monitor.sinks import registry
from monitor.storage.journal import Journal
from tests.hl7_receiver import Receiver
from tests.monitor.program import call

BEDS = """\
site: north
beds:
  - id: chair-1
    devices: [{id: ox, driver: nonin, url: simulated}]
"""


def written(folder: Path, section: str) -> Path:
    file = folder / "site.yaml"
    file.write_text(f"{BEDS}{section}\n")
    return file


def test_the_rest_is_filled_in(tmp_path: Path) -> None:
    config = config_file.load(written(tmp_path, "hl7: {host: localhost}"))
    assert config.hl7 is not None
    assert (config.hl7.port, config.hl7.every_s, config.hl7.alerts) == (2575, 60, True)
    assert config.hl7.names("north") == ("north", "infusion-monitor", "north", "", "")
    assert registry.names(config) == {"hl7"}
    section = "hl7: {host: 127.0.0.1, every_s: 0, sending_application: STATION^1.2.3^ISO, receiving_facility: St. Anna}"
    config = config_file.load(written(tmp_path, section))
    assert config.hl7 is not None
    assert config.hl7.names("north") == ("north", "STATION^1.2.3^ISO", "north", "", "St. Anna")


@pytest.mark.parametrize(
    "section",
    [
        "hl7: {host: engine.example, plain: true}",
        "hl7: {host: 192.168.1.7, tls: {}}",
        'hl7: {host: "::1"}',
        "hl7: {host: 127.0.0.1, tls: {}}",
    ],
)
def test_vitals_go_in_clear_only_where_it_is_said(tmp_path: Path, section: str) -> None:
    assert config_file.load(written(tmp_path, section)).hl7 is not None


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        (
            "hl7: {host: engine.example}",
            "5: hl7.host: vitals would go over the network in clear: give `tls` (it may be {})",
        ),
        ("hl7: {host: 192.168.1.7, plain: true, tls: {}}", "5: hl7.plain: with `tls` nothing goes in clear"),
        ("hl7: {host: a, tls: {cert_file: site.yaml}}", "5: hl7.tls.key_file: give cert_file and key_file, or neither"),
        ("hl7: {host: a, tls: {ca_file: nowhere.pem}}", "5: hl7.tls.ca_file: nowhere.pem: No such file or directory"),
        ("hl7: {host: a, tls: {ca: x}}", "5: hl7.tls.ca: unknown key"),
        ("hl7: {port: 2575}", "5: hl7.host: is missing"),
        ("hl7: {host: localhost, port: 0}", "5: hl7.port: input should be greater than or equal to 1; got 0"),
        ("hl7: {host: mllp://localhost}", "5: hl7.host: string should match pattern"),
        ("hl7: {host: localhost, every_s: -1}", "5: hl7.every_s: input should be greater than or equal to 0; got -1"),
        ("hl7: {host: localhost, receiving_application: A|B}", "5: hl7.receiving_application: string should match"),
        ("hl7: {host: localhost, sending_facility: ''}", "5: hl7.sending_facility: string should match"),
    ],
)
def test_every_fault_is_named_with_its_line(tmp_path: Path, section: str, fault: str) -> None:
    file = written(tmp_path, section)
    with pytest.raises(ConfigError) as caught:
        config_file.load(file)
    assert any(said.removeprefix(f"{file}:").startswith(fault) for said in caught.value.faults), caught.value.faults


async def test_the_doctor_says_whether_the_receiver_can_be_reached(tmp_path: Path) -> None:
    receiver = Receiver()
    await receiver.start()
    where = f"127.0.0.1:{receiver.port}"
    plain, tls = (f"hl7: {{host: 127.0.0.1, port: {receiver.port}{more}}}" for more in ("", ", tls: {}"))

    def found(section: str) -> list:
        return list(reach.hl7(subject_of(written(tmp_path, section), tmp_path, deep=False)))

    assert await asyncio.to_thread(found, plain) == [ok("hl7", f"{where} takes connections")]
    assert not receiver.messages
    [fault] = await asyncio.to_thread(found, tls)
    assert fault.level is Level.FAULT
    assert f"HL7 receiver {where}: " in fault.text
    await receiver.stop()
    [fault] = await asyncio.to_thread(found, plain)
    assert (fault.level, fault.text) == (Level.FAULT, f"HL7 receiver {where}: Connection refused")
    assert found("") == []


async def test_dead_letters_are_listed_a_segment_a_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.open()
    message = "MSH|^~\\&|a\rPID|||1\r"
    journal.record_dead_letters("hl7", [(message, "AR: unknown patient")], 1_790_000_000 * NS)
    journal.record_dead_letters("influxdb", [("vitals x=1", "no")], 1)
    await journal.close()
    done = call("hl7", "dead-letters", "--data-dir", tmp_path)
    assert done.stdout == ("1  2026-09-21T14:13:20.000000Z  AR: unknown patient\n    MSH|^~\\&|a\n    PID|||1\n")
    [line] = call("hl7", "dead-letters", "--json", "--data-dir", tmp_path).stdout.splitlines()
    assert json.loads(line)["line"] == message
    done = call("hl7", "resend", "--data-dir", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no station runs on {tmp_path}: start it" in done.stderr
    subject = subject_of(written(tmp_path, "hl7: {host: localhost}"), tmp_path, deep=False)
    [of_hl7, _] = records.dead_letters(subject)
    assert of_hl7.text == "1 lines that hl7 refuses: AR: unknown patient"
    assert "`infusion-monitor hl7 resend` has them sent again" in of_hl7.advice
    [unheard] = records.sinks(subject)
    assert (unheard.what, unheard.level) == ("sink hl7", Level.NOTE)
