"""The passwords, tokens and certificates that `deploy/make-secrets.sh` makes."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.services import require

DEPLOY = Path(__file__).parents[2] / "deploy"
PATIENCE = 60
"""Seconds after which what a test waits for is taken not to come."""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the script; the test is skipped where a program that it needs is missing."""
    for program in ("openssl", "mosquitto_passwd"):
        require(program)
    script = [require("bash"), str(DEPLOY / "make-secrets.sh"), *map(str, arguments)]
    return subprocess.run(script, capture_output=True, text=True, check=False, timeout=PATIENCE)


def made(folder: Path, *arguments: str) -> Path:
    """The folder that it made with those arguments."""
    result = run("--folder", folder, *arguments)
    assert result.returncode == 0, result.stderr
    return folder


def text(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()
