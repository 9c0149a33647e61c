"""A call that hangs in a library's thread does not hold the end of the program."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from monitor.cli.executor import DaemonExecutor
from tests.monitor.program import ROOT

PROGRAM = """
import asyncio, time
from monitor.cli.executor import DaemonExecutor

async def main():
    loop = asyncio.get_running_loop()
    loop.set_default_executor(DaemonExecutor())
    hanging = loop.run_in_executor(None, time.sleep, 600)
    await asyncio.sleep(0.1)
    hanging.cancel()

asyncio.run(main())
print("ended")
"""


def test_the_end_does_not_wait_for_a_call_that_hangs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")


async def test_results_and_errors_come_back() -> None:
    loop = asyncio.get_running_loop()
    executor = DaemonExecutor()
    assert await loop.run_in_executor(executor, sum, [1, 2]) == 3
    error = await asyncio.gather(loop.run_in_executor(executor, int, "x"), return_exceptions=True)
    assert isinstance(error[0], ValueError)
