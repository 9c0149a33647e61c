"""A running station and a real InfluxDB: what the journal holds is there, and read back the same."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

from tests.influxd import Influxd
from tests.monitor.program import Start, call, wait_for

CLINIC = """
site: test-clinic
influxdb:
  url: {url}
  org: clinic
  bucket: vitals
  token_file: {token}
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


def configured(folder: Path, server: Influxd) -> Path:
    token = folder / "token"
    token.write_text(server.token)
    config = folder / "clinic.yaml"
    config.write_text(CLINIC.format(url=server.url, token=token))
    (folder / "eager.yaml").write_text(EAGER)
    return config


def printed(kind: str, *arguments: str | Path) -> list[str]:
    """The rows that a command prints, without what InfluxDB does not hold, in one order."""
    done = call(kind, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return sorted(json.dumps({**row, "received_at": None, "site": None}, sort_keys=True) for row in rows)


def test_the_same_rows_come_from_influxdb_as_from_the_journal(tmp_path: Path, start_station: Start) -> None:
    with Influxd(tmp_path / "influxd") as server:
        config = configured(tmp_path, server)
        data = tmp_path / "data"
        station = start_station(data, "--config", config)
        wait_for(lambda: any('"nibp_sys"' in row for row in printed("readings", "--data-dir", data)))
        wait_for(lambda: printed("alerts", "--data-dir", data))
        for kind in ("readings", "alerts"):
            before = set(printed(kind, "--data-dir", data))
            wait_for(lambda: before <= set(printed(kind, "--from", "influxdb", "--config", config)))  # noqa: B023
        station.stop(signal.SIGKILL)
        for kind in ("readings", "alerts"):
            there = Counter(printed(kind, "--from", "influxdb", "--config", config))
            # Not more often either; what came in one piece to a station that was held up is a nanosecond apart, and
            # looks the same in microseconds.
            assert there
            assert there <= Counter(printed(kind, "--data-dir", data))
        foreign = server.query(
            'from(bucket: "vitals") |> range(start: 0) |> filter(fn: (r) => r._measurement == "vitals" and '
            'r.bed == "chair-1" and r._field == "spo2") |> count()'
        )
        spo2 = [row for row in printed("readings", "--from", "influxdb", "--config", config) if '"chair-1"' in row]
        assert sum(row["_value"] for row in foreign) == sum(
            '"vital": "spo2"' in row and '"value": null' not in row for row in spo2
        )


def test_a_stopped_sink_is_said_on_the_page_and_stops_nothing(tmp_path: Path, start_station: Start) -> None:
    with Influxd(tmp_path / "influxd") as server:
        config = configured(tmp_path, server)
        (tmp_path / "token").write_text("not-the-token")
        data = tmp_path / "data"
        station = start_station(data, "--config", config)

        def alerts() -> str:
            return call("alerts", "--data-dir", data).stdout

        wait_for(lambda: "influxdb takes nothing" in alerts())
        had = len(printed("readings", "--data-dir", data))
        wait_for(lambda: len(printed("readings", "--data-dir", data)) > had)
        code, said = station.stop()
        assert code == 0
        assert "not-the-token" not in said
