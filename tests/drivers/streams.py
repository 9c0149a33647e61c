"""What a real device would send, made by the device side of each protocol."""

from __future__ import annotations

from drivers.codec import Codec, Driver
from drivers.registry import drivers
from simulators.device_side import DeviceSide, make_side
from simulators.patient import Patient

DRIVERS = list(drivers().values())
BYTE_STREAMS = [driver for driver in DRIVERS if driver.transports != ("mqtt",)]


def new_codec(driver: Driver, **options: object) -> Codec:
    return driver.make_codec(driver.options.model_validate(options))


def pieces(driver: Driver, seconds: float = 20, patient: Patient | None = None) -> list[bytes]:
    """The device's bytes, each piece as it would be written: ticks, and answers to what the codec asks for."""
    side = make_side(driver.name, patient or Patient(seed=3))
    asking = new_codec(driver)
    asking.reset()
    found = []
    for step in range(int(seconds / side.period)):
        now = step * side.period
        for data in (side.tick(now), *_answers(driver, asking, side, now)):
            if data:
                found.append(data)
                asking.feed(data, int(now * 1e9))
    return found


def _answers(driver: Driver, asking: Codec, side: DeviceSide, now: float) -> list[bytes]:
    request = asking.request(now) if driver.polled else None
    return [side.answer(request, now)] if request else []
