"""The simulated devices that a configuration asks for: one patient a bed, one pseudo-terminal a device."""

from __future__ import annotations

from drivers import registry
from drivers.clock import Clock
from drivers.errors import ConfigError
from monitor.config import SIMULATED, StationConfig
from monitor.station import Addresses
from simulators.device_side import make_side
from simulators.endpoint import PtyEndpoint
from simulators.scenario import load_scenario


def problems(config: StationConfig) -> list[str]:
    """What cannot be simulated, each as `path: text`."""
    found = []
    for b, bed in enumerate(config.beds):
        simulated = [(d, device) for d, device in enumerate(bed.devices) if device.url == SIMULATED]
        if simulated:
            try:
                load_scenario(bed.simulated_patient.scenario)
            except ConfigError as error:
                found.append(f"beds[{b}].simulated_patient.scenario: {error}")
        found += [
            f"beds[{b}].devices[{d}].url: the driver {device.driver} has no serial line to simulate; "
            "run `infusion-monitor simulate` beside the station and give its address"
            for d, device in simulated
            if "serial" not in registry.find(device.driver).transports
        ]
    return found


def simulated_devices(config: StationConfig, clock: Clock) -> tuple[Addresses, list[PtyEndpoint]]:
    """The endpoints to serve, and where each is found. Needs a running loop. Raises `ConfigError`."""
    if faults := problems(config):
        raise ConfigError(faults)
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
