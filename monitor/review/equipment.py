"""The devices of a session: what each measured, and what was found of its clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from monitor.review.tracks import Track
from monitor.storage.device_events import DeviceEvent

_CLOCK = "clock_behind"
"""The status that tells of a device's clock (`drivers.device`)."""


class DeviceUse(NamedTuple):
    """A device that measured something in the session, or told something of itself."""

    device: str
    vitals: tuple[str, ...]
    readings: int
    since: int | None
    """When its first reading was measured, UTC nanoseconds; None where it has none. Likewise its last one:"""
    until: int | None
    clock: tuple[DeviceEvent, ...]
    """When its clock was found to be wrong, by how much, and when right again; mostly empty."""


def equipment(vitals: Mapping[str, Track], events: Iterable[DeviceEvent]) -> list[DeviceUse]:
    """Every device of the session by its id; `events` are what became of devices then."""
    told: dict[str, list[DeviceEvent]] = {}
    for event in events:
        told.setdefault(event.device, []).append(event)
    names = {device for track in vitals.values() for device in track.devices} | told.keys()
    return [_use(device, vitals, told.get(device, [])) for device in sorted(names)]


def _use(device: str, vitals: Mapping[str, Track], told: Iterable[DeviceEvent]) -> DeviceUse:
    measured = {}
    for vital, track in vitals.items():
        if device in track.devices:
            at = track.at[track.device == track.devices.index(device)]
            measured[vital] = (int(at[0]), int(at[-1]), len(at))
    return DeviceUse(
        device,
        tuple(measured),
        sum(count for _, _, count in measured.values()),
        min((first for first, _, _ in measured.values()), default=None),
        max((last for _, last, _ in measured.values()), default=None),
        tuple(event for event in told if event.code == _CLOCK and event.kind == "status"),
    )
