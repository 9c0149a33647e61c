"""`infusion-monitor simulate`: the device side alone, for any reader that speaks its protocol."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from drivers.clock import Clock, SystemClock
from drivers.errors import ConfigError
from monitor.cli.logs import LogFormat, set_up_logs
from simulators.device_side import DeviceSide, make_side
from simulators.endpoint import Endpoint, MqttEndpoint, PtyEndpoint, TcpEndpoint
from simulators.scenario import load_scenario


def simulate(
    driver: Annotated[str, typer.Argument(help="Whose protocol to speak.")],
    scenario: Annotated[str, typer.Option(help="What happens to the patient.")] = "infusion",
    serial_link: Annotated[Path | None, typer.Option(help="Make this symbolic link to the pseudo-terminal.")] = None,
    tcp: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve a TCP port instead; port 0: a free one.")
    ] = None,
    mqtt: Annotated[
        str | None, typer.Option(metavar="URL", help="Publish to mqtt://HOST[:PORT]/TOPIC instead.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same patient again.")] = 1,
    for_: Annotated[float | None, typer.Option("--for", min=0, help="Stop after that many seconds.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="An option of the device, KEY=VALUE.")] = None,
) -> None:
    """Be a monitor with a simulated patient; the first line printed is the address to connect to."""
    if sum(given is not None for given in (serial_link, tcp, mqtt)) > 1:
        raise ConfigError(["give one of --serial-link, --tcp and --mqtt"])
    set_up_logs(LogFormat.TEXT)
    options = dict(text.partition("=")[::2] for text in option or [])
    side = make_side(driver, load_scenario(scenario).patient(seed), options)
    asyncio.run(_serve(side, SystemClock(), serial_link, tcp, mqtt, for_))


async def _serve(
    side: DeviceSide, clock: Clock, link: Path | None, tcp: str | None, mqtt: str | None, seconds: float | None
) -> None:
    endpoint: Endpoint
    if tcp:
        host, _, port = tcp.rpartition(":")
        if not host or not port.isdecimal():
            raise ConfigError([f"--tcp {tcp}: expected HOST:PORT"])
        endpoint = TcpEndpoint(side, clock, host, int(port))
        await endpoint.start()
    elif mqtt:
        endpoint = MqttEndpoint(side, clock, mqtt)
    else:
        endpoint = PtyEndpoint(side, clock, link)
    print(endpoint.address, flush=True)
    serving = asyncio.create_task(endpoint.serve())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, serving.cancel)
    if seconds is not None:
        loop.call_later(seconds, serving.cancel)
    await asyncio.gather(serving, return_exceptions=True)
    if not serving.cancelled() and (error := serving.exception()):
        raise error
