"""`infusion-monitor check`: says what a configuration would run, or what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor import config_file
from monitor.alerts import profile_file
from monitor.alerts.profile import ProfileConfig
from monitor.cli.simulated import cannot_simulate


def check(file: Annotated[Path, typer.Argument(help="The configuration, or the alert profile, to check.")]) -> None:
    """Say "ok" and what would run, or every fault with its line; exit code 2 if there is one."""
    if profile_file.is_profile(file):
        profile = profile_file.load(file)
        print("ok")
        _print_profile(profile)
        return
    config = config_file.load(file, cannot_simulate)
    print("ok")
    for bed in config.beds:
        for device in bed.devices:
            print(f"  {bed.id} ({bed.title}): {device.id}: {device.driver} on {device.address(bed.id)}")
    for name, profile in config.alerts.all.items():
        _print_profile(profile, in_force=name == config.alerts.profile)
    print(f"  page on {config.web.host}:{config.web.port}, journal in {config.data_dir}")


def _print_profile(profile: ProfileConfig, *, in_force: bool = False) -> None:
    title = f" ({profile.title})" if profile.title else ""
    count = f"{len(profile.rules)} rule{'' if len(profile.rules) == 1 else 's'}"
    print(f"  profile {profile.profile}{title}: {count}{', in force' if in_force else ''}")
    if profile.notice:
        print(f"    {profile.notice}")
