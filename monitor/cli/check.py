"""`infusion-monitor check`: says what a configuration would run, or what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor import config_file
from monitor.cli.simulated import cannot_simulate


def check(file: Annotated[Path, typer.Argument(help="The configuration to check.")]) -> None:
    """Say "ok" and what would run, or every fault with its line; exit code 2 if there is one."""
    config = config_file.load(file, cannot_simulate)
    print("ok")
    for bed in config.beds:
        for device in bed.devices:
            print(f"  {bed.id} ({bed.title}): {device.id}: {device.driver} on {device.address(bed.id)}")
    limits = config.alerts.profile().limits
    print(f"  {len(limits)} alert limits on {len({limit.vital for limit in limits})} vitals")
    print(f"  page on {config.web.host}:{config.web.port}, journal in {config.data_dir}")
