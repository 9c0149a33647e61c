"""`docs/api.md` is true: it names each route, error and metric, and what it has one type works."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.web.errors import WORDS
from tests.monitor.program import ROOT, RunningStation, Start, call
from tests.server import PATIENCE

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (curl .*)$", PAGE, re.MULTILINE)
ENDLESS = 28
"""Curl's exit code where the time that it was given is over."""


@pytest.fixture
def station(tmp_path: Path, start_station: Start) -> RunningStation:
    return start_station(tmp_path)


def token(station: RunningStation, data_dir: Path, name: str, role: str) -> str:
    made = call("token", "add", name, "--role", role, "--data-dir", data_dir)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_the_commands_do_what_they_say_and_all_routes_and_metrics_are_named(
    station: RunningStation, tmp_path: Path
) -> None:
    names = re.findall(r"export ([A-Z]+)=\$\(infusion-monitor token add (\S+) --role (\w+)\)", PAGE)
    tokens = {variable: token(station, tmp_path, name, role) for variable, name, role in names}
    assert len(tokens) == 3
    environment = {**os.environ, "STATION": station.page, **tokens}
    said = {}
    for command in COMMANDS:
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, env=environment, timeout=PATIENCE, check=False
        )
        assert done.returncode == (ENDLESS if "/api/live" in command else 0), (command, done.stderr, done.stdout)
        assert done.stdout, command
        said[command] = done.stdout
    [described] = [json.loads(text) for command, text in said.items() if "openapi.json" in command]
    for path, operations in described["paths"].items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in PAGE, f"{method} {path} is not told of"
    [metrics] = [text for command, text in said.items() if "/metrics" in command]
    for family in text_string_to_metric_families(metrics):
        for name in {sample.name for sample in family.samples}:
            assert re.search(rf"`{name}[{{`]", PAGE), f"{name} is not told of"
    [stream] = [text for command, text in said.items() if "/api/live" in command]
    assert re.match(r"id: [0-9a-f]+\.\d+\r?\n", stream)


def test_each_word_of_an_error_is_told_of() -> None:
    assert re.findall(r"^\| \d+ \| `(\w+)` \|", PAGE, re.MULTILINE) == list(WORDS)
