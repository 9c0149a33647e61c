"""A driver in a package of its own, as docs/adding-a-driver.md says: one module and one entry point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

MODULE = """
from drivers.codec import Codec, Driver, Example, NoOptions, SerialLine
from drivers.events import Validity, measured
from drivers.framing import INCOMPLETE, NO_FRAME, Framer, sum8


def _frame_length(buffer, start):
    if buffer[start] != 0xAC:
        return NO_FRAME
    if len(buffer) < start + 3:
        return INCOMPLETE
    return 3 if sum8(buffer[start : start + 2]) == buffer[start + 2] else NO_FRAME


class AcmeCodec(Codec):
    def __init__(self, options):
        super().__init__()
        self._framer = Framer(_frame_length, 8, self.counters)

    def feed(self, data, received_at):
        return [measured("spo2", float(f[1]), received_at, received_at) for f in self._framer.feed(data)]

    def reset(self):
        self._framer.reset()


DRIVER = Driver(
    name="acme", title="Acme 9", devices=("Acme 9",), make_codec=AcmeCodec, options=NoOptions,
    vitals=("spo2",), transports=("serial", "tcp", "file"), line=SerialLine(baudrate=19200),
    checksum="low byte of the sum of the bytes before it", confidence="C", source="made up for a test",
    examples=(Example(bytes.fromhex("AC610D"), (("spo2", 97, Validity.VALID),), "made up"),),
)
"""


def test_a_driver_of_another_package_is_one_of_ours(tmp_path: Path) -> None:
    (tmp_path / "acme_driver.py").write_text(MODULE)
    info = tmp_path / "acme_driver-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-driver\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[infusion_monitor.drivers]\nacme = acme_driver:DRIVER\n")
    capture = tmp_path / "capture.hex"
    capture.write_text("AC610D 00 AC600C AC600D")
    site = tmp_path / "site.yaml"
    site.write_text("beds: [{id: a, devices: [{id: ox, driver: acme, url: /dev/ttyUSB0}]}]\n")

    def run(*args: object) -> str:
        return subprocess.run(
            [sys.executable, "-m", "monitor", *map(str, args)],
            check=True,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        ).stdout

    assert next(driver["name"] for driver in json.loads(run("drivers", "--json"))) == "acme"
    readings = [json.loads(line) for line in run("decode", "acme", capture, "--hex").splitlines()]
    assert [line["value"] for line in readings[:-1]] == [97, 96]
    assert readings[-1] == {"kind": "summary", "bytes": 10, "frames": 2, "rejected": 2}
    assert run("check", site).startswith("ok")
