"""`infusion-monitor simulate`: the device side alone, for any reader that speaks its protocol."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path
from typing import Annotated

import typer

from drivers.clock import Clock, SystemClock
from drivers.errors import ConfigError, LinkRefused
from monitor.cli.logs import LogFormat, set_up_logs
from simulators.device_side import DeviceSide, check_options, make_side
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
    side = make_side(driver, load_scenario(scenario).patient(seed), check_options(driver, _pairs(option or [])))
    asyncio.run(_serve(side, SystemClock(), serial_link, tcp, mqtt, for_))


def _pairs(options: list[str]) -> dict[str, str]:
    for option in options:
        if "=" not in option:
            raise ConfigError([f"--option {option}: expected KEY=VALUE"])
    return dict(option.split("=", 1) for option in options)


async def _serve(
    side: DeviceSide, clock: Clock, link: Path | None, tcp: str | None, mqtt: str | None, seconds: float | None
) -> None:
    endpoint: Endpoint
    if tcp is not None:
        endpoint = await _on_tcp(side, clock, tcp)
    elif mqtt is not None:
        endpoint = _on_mqtt(side, clock, mqtt)
    else:
        endpoint = _on_serial(side, clock, link)
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


async def _on_tcp(side: DeviceSide, clock: Clock, address: str) -> TcpEndpoint:
    host, _, port = address.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ConfigError([f"--tcp {address}: expected HOST:PORT, with a port from 0 to 65535"])
    endpoint = TcpEndpoint(side, clock, host, int(port))
    try:
        await endpoint.start()
    except (OSError, UnicodeError) as error:
        # UnicodeError: of a name that no host can have.
        raise LinkRefused(f"--tcp {address}: {error}") from error
    return endpoint


def _on_mqtt(side: DeviceSide, clock: Clock, url: str) -> MqttEndpoint:
    try:
        return MqttEndpoint(side, clock, url)
    except ValueError as error:
        raise ConfigError([f"--mqtt {url}: {error}"]) from error


def _on_serial(side: DeviceSide, clock: Clock, link: Path | None) -> PtyEndpoint:
    try:
        return PtyEndpoint(side, clock, link)
    except OSError as error:
        if link is None:
            raise LinkRefused(f"no pseudo-terminal is to be had: {error.strerror}") from error
        raise ConfigError([f"--serial-link {link}: {error.strerror}"]) from error
