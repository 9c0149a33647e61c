"""The simulated devices that a configuration asks for: one patient a bed, one pseudo-terminal a device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from drivers.clock import Clock
from drivers.registry import drivers
from monitor.config import SIMULATED, StationConfig
from monitor.config_faults import Fault
from simulators.device_side import make_side
from simulators.endpoint import PtyEndpoint
from simulators.scenario import load_scenario, scenario_names

if TYPE_CHECKING:
    from monitor.station import Addresses


def cannot_simulate(config: StationConfig) -> Iterator[Fault]:
    """What a configuration asks for and there is not: a check for `config_file.load`."""
    for b, bed in enumerate(config.beds):
        simulated = [(d, device) for d, device in enumerate(bed.devices) if device.url == SIMULATED]
        if simulated and bed.simulated_patient.scenario not in scenario_names():
            known = ", ".join(scenario_names())
            where = ("beds", b, "simulated_patient", "scenario")
            yield where, f"there is no scenario {bed.simulated_patient.scenario!r}; there are: {known}"
        for d, device in simulated:
            if device.driver in drivers() and "serial" not in drivers()[device.driver].transports:
                yield (
                    ("beds", b, "devices", d, "url"),
                    (
                        f"the driver {device.driver} has no serial line to simulate; "
                        "run `infusion-monitor simulate` beside the station and give its address"
                    ),
                )


def simulated_devices(config: StationConfig, clock: Clock) -> tuple[Addresses, list[PtyEndpoint]]:
    """Where each is found, and the endpoints to serve, in the same order. Needs a running loop."""
    addresses: dict[tuple[str, str], str] = {}
    endpoints = []
    for bed in config.beds:
        patient = load_scenario(bed.simulated_patient.scenario).patient(bed.simulated_patient.seed)
        for device in bed.devices:
            if device.url == SIMULATED:
                endpoint = PtyEndpoint(make_side(device.driver, patient, device.options), clock)
                endpoints.append(endpoint)
                addresses[bed.id, device.id] = endpoint.address
    return addresses, endpoints
