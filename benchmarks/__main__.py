"""`python -m benchmarks`: every measurement in turn, as tables and, with `--json`, as raw figures."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import (
    alert_latency,
    alerts,
    charts,
    codec,
    encoder,
    history,
    influxdb,
    journal,
    latency,
    libraries,
    outage,
    page_alerts,
    page_soak,
    pages,
    pipeline,
    restart,
    station,
    what_if,
)
from benchmarks.table import Table

MEASUREMENTS: dict[str, Callable[[], Table]] = {
    "codec": codec.measure,
    "alerts": alerts.measure,
    "what_if": what_if.measure,
    "journal": journal.measure,
    "latency": latency.measure,
    "alert_latency": alert_latency.measure,
    "restart": restart.measure,
    "station": station.measure,
    "encoder": encoder.measure,
    "influxdb": influxdb.measure,
    "outage": outage.measure,
    "history": history.measure,
    "charts": charts.measure,
    "files": charts.measure_files,
    "pages": pages.measure,
    "page_alerts": page_alerts.measure,
    "page_soak": page_soak.measure,
    "pipeline": pipeline.measure,
    "libraries": libraries.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which to run; all without it: {', '.join(MEASUREMENTS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the raw figures there too")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(MEASUREMENTS):
        parser.error(f"there is no measurement {', '.join(sorted(unknown))}; there are: {', '.join(MEASUREMENTS)}")
    machine: dict[str, Any] = {
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    print(
        f"{machine['system']}, {machine['cores']} cores, load {machine['load'][0]:.1f} before the start; "
        f"Python {machine['python']}, SQLite {machine['sqlite']}.\n"
        "One machine, shared with whatever else it runs: figures move by a quarter from run to run, and rare maxima by "
        "more.\nCompare figures of one run with each other, and do not quote them as a property of the program."
    )
    figures: dict[str, object] = {"machine": machine}
    started = time.monotonic()
    for name in chosen.names or MEASUREMENTS:
        table = MEASUREMENTS[name]()
        print(f"\n{table.text()}", flush=True)
        figures[name] = {"title": table.title, "aim": table.aim, "missed": table.missed, "figures": table.raw}
    load = os.getloadavg()[0]
    print(f"\n{time.monotonic() - started:.0f} s in all, load {load:.1f} at the end.", file=sys.stderr)
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
