"""`infusion-monitor run`: the station, with the simulated devices that its configuration asks for."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer

from drivers.clock import Clock, SystemClock
from monitor import config_file
from monitor.cli.executor import DaemonExecutor
from monitor.cli.logs import LogFormat, set_up_logs
from monitor.cli.simulated import cannot_simulate, simulated_devices
from monitor.config import StationConfig

_NEW_OBJECTS = 50_000
"""After which the youngest are looked through, instead of 700."""

log = logging.getLogger(__name__)


def run(
    config: Annotated[
        Path | None, typer.Option(help="The configuration; the shipped two-chair clinic without it.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="The journal's folder; else as configured.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The page's port; 0 takes a free one.")] = None,
    for_: Annotated[float | None, typer.Option("--for", min=0, help="Stop after that many seconds.")] = None,
    log_format: Annotated[LogFormat, typer.Option(help="How log lines look.")] = LogFormat.TEXT,
) -> None:
    """Run the station until it is told to stop (Ctrl-C or SIGTERM)."""
    set_up_logs(log_format)
    settings = config_file.load(config or config_file.default_path(), cannot_simulate)
    asyncio.run(_serve(settings, SystemClock(), data_dir or Path(settings.data_dir), port, for_))


async def _serve(
    settings: StationConfig, clock: Clock, data_dir: Path, port: int | None, seconds: float | None
) -> None:
    from monitor.station import Station  # noqa: PLC0415 - what it brings takes a third of the start of any command

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(DaemonExecutor())
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if seconds is not None:
        loop.call_later(seconds, stop.set)
    async with AsyncExitStack() as stack:
        addresses, endpoints = simulated_devices(settings, clock)
        for (bed, device), endpoint in zip(addresses, endpoints, strict=True):
            serving = asyncio.create_task(endpoint.serve(), name=f"{bed}/{device}")
            serving.add_done_callback(_tell_failure)
            stack.push_async_callback(_end, serving)
        station = Station(settings, clock, data_dir=data_dir, port=port, addresses=addresses)
        await station.open()
        _spare_the_loop()
        print(f"The page is at {station.page.address}; the journal is {station.journal.path}", flush=True)
        await station.run(stop)


def _spare_the_loop() -> None:
    """Have the garbage collector look at everything less often.

    What is recorded and waits for its commit is freed without it, and yet is what it would go through: with a broker's
    backlog of 40,000 messages under way it held up the loop, and with it the alerts, 14 times, by up to 270 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 50)


def _tell_failure(serving: asyncio.Task[None]) -> None:
    # For the station a simulated device that failed is one whose cable was pulled: here is who knows why.
    if not serving.cancelled() and (error := serving.exception()):
        log.error("%s: the simulated device failed", serving.get_name(), exc_info=error)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
