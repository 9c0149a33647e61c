"""`infusion-monitor doctor`: what is wrong, or could be soon, and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from monitor import config_file
from monitor.cli.simulated import cannot_simulate
from monitor.doctor.examination import examine
from monitor.doctor.findings import Level, subject_of


def doctor(
    config: Annotated[Path | None, typer.Option(help="The station's configuration.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="The journal's folder; else as configured.")] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Have SQLite look through the whole journal too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Look at everything that the station needs, and say what to do; exit code 1 if somebody has to act.

    It changes nothing, opens no device's port and shows no secret. Run it as the station's user.
    """
    subject = subject_of(config or config_file.default_path(), data_dir, cannot_simulate, deep=deep)
    faults = 0
    for finding in examine(subject):
        faults += finding.level is Level.FAULT
        if as_json:
            print(json.dumps(finding._asdict(), ensure_ascii=False))
        else:
            advice = f": {finding.advice}" if finding.advice else ""
            print(f"{finding.level:5}  {finding.what}: {finding.text}{advice}")
    if faults:
        raise typer.Exit(1)
