"""A running station with simulated chairs and an HL7 receiver: what the journal holds is received, as the session's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.sinks.hl7_portion import Portions
from monitor.sinks.hl7_settings import Hl7Config
from monitor.storage.backlog import Backlog
from tests.broker import until
from tests.hl7_receiver import Receiver
from tests.monitor.program import RunningStation, Start, call, wait_for
from tests.monitor.sinks.hl7_reading import alert_told, readings_told

CLINIC = """
site: test-clinic
hl7: {{host: 127.0.0.1, port: {port}, every_s: {every_s}, ack_within: 1, receiving_application: EMR}}
beds:
  - id: chair-1
    devices:
      - {{id: oximeter, driver: nonin, url: simulated, options: {{format: 2}}}}
      - {{id: cuff, driver: dinamap, url: simulated, vitals: [nibp_sys, nibp_dia, nibp_mean]}}
  - id: chair-2
    devices:
      - {{id: monitor, driver: ivy450c, url: simulated}}
alerts: {{profile: eager, profiles: [eager.yaml]}}
"""
EAGER = "profile: eager\nrules: {spo2_low: 'SpO2 < 99.5, high'}\n"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


def configured(folder: Path, receiver: Receiver, *, every_s: float) -> Path:
    config = folder / "clinic.yaml"
    config.write_text(CLINIC.format(port=receiver.port, every_s=every_s))
    (folder / "eager.yaml").write_text(EAGER)
    return config


def to_be_told(data: Path, every_s: float) -> list[str]:
    """All messages of the journal, in one portion."""
    with contextlib.closing(Backlog(data)) as backlog:
        config = Hl7Config(host="localhost", every_s=every_s, receiving_application="EMR")
        return Portions(config, "test-clinic", data).messages(backlog.next(0))


async def test_what_is_measured_is_received_once_with_the_session_and_over_a_crash(
    tmp_path: Path, start_station: Start, receiver: Receiver
) -> None:
    config, data = configured(tmp_path, receiver, every_s=0), tmp_path / "data"
    station = await asyncio.to_thread(start_station, data, "--config", config)

    def of_session() -> Counter[str]:
        mine = [message for message in receiver.messages if "|P-17^^^test-clinic^PI|" in message]
        return Counter(message.split("|")[8] for message in mine)

    await until(lambda: any("nibp_sys" in str(readings_told(it)) for it in receiver.messages if "R01" in it))
    opened = await asyncio.to_thread(
        call, "session", "open", "chair-1", "--reference", "P-17", "--by", "Kim", "--data-dir", data
    )
    assert opened.returncode == 0, opened.stderr
    await until(lambda: of_session()["ORU^R01^ORU_R01"] > 3)
    await asyncio.to_thread(station.stop, signal.SIGKILL)
    before = len(receiver.messages)
    again = await asyncio.to_thread(start_station, data, "--config", config)
    await until(lambda: len(receiver.messages) > before + 20)
    code, said = await asyncio.to_thread(again.stop)
    assert code == 0, said
    # A last look of the forwarder may not have come: what was not sent waits, and nothing else is missing.
    told = to_be_told(data, 0)
    assert set(receiver.messages) <= set(told)
    missing = [message for message in told if message not in set(receiver.messages)]
    assert all(message in told[-200:] for message in missing), len(missing)
    alerts = [alert_told(message) for message in receiver.messages if "ORU^R40" in message]
    assert {"chair-1.spo2_low", "chair-2.spo2_low"} <= {alert["order"].rpartition(".")[0] for alert in alerts}


async def test_a_receiver_that_says_nothing_holds_up_no_alert(
    tmp_path: Path, start_station: Start, receiver: Receiver
) -> None:
    receiver.always = "none"
    config, data = configured(tmp_path, receiver, every_s=60), tmp_path / "data"
    station: RunningStation = await asyncio.to_thread(start_station, data, "--config", config)

    def state() -> str:
        return str(json.loads(station.get("/readyz"))["sinks"]["hl7"])

    await asyncio.to_thread(wait_for, lambda: state() == "waiting")
    said = await asyncio.to_thread(call, "alert", "list", "--data-dir", data)
    assert "SpO₂" in said.stdout
    recorded = await asyncio.to_thread(call, "alerts", "--json", "--data-dir", data)
    assert '"spo2_low"' in recorded.stdout
    assert b'sink_ok{sink="hl7"} 0.0' in await asyncio.to_thread(station.get, "/metrics")
    receiver.always = "AA"
    await asyncio.to_thread(wait_for, lambda: state() == "forwarding")
    await until(lambda: any("ORU^R40" in message for message in receiver.messages))
    code, _ = await asyncio.to_thread(station.stop)
    assert code == 0
