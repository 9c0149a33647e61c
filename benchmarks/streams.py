"""The devices that are measured, and what each puts on its wire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from drivers.codec import Codec, Driver
from drivers.registry import drivers, find
from simulators.device_side import DeviceSide, make_side
from simulators.patient import Patient

USB_READ = 62
"""Bytes of data in one packet of a usual USB adapter: what a longer frame comes in."""
NONIN_FORMATS = ("2", "7", "8", "13")


class Kind(NamedTuple):
    """One driver with its options."""

    driver: str
    options: Mapping[str, Any] = {}

    @property
    def title(self) -> str:
        """The driver, and the option that tells it from the others."""
        return " ".join((self.driver, *(f"{key} {value}" for key, value in self.options.items())))

    def codec(self) -> Codec:
        """A fresh codec, as the station makes it."""
        driver = find(self.driver)
        return driver.make_codec(driver.options.model_validate(self.options))

    def side(self, seed: int) -> DeviceSide:
        """A simulated device with a patient of its own."""
        # An oximeter where it is an extra, so that every kind gives the SpO2 readings that are counted.
        return make_side(self.driver, Patient(seed=seed), {"oximeter": True, **self.options})


def kinds() -> list[Kind]:
    """Every driver of the registry, each Nonin format by itself."""
    found = []
    for name in drivers():
        found += [Kind(name, {"format": form}) for form in NONIN_FORMATS] if name == "nonin" else [Kind(name)]
    return found


def frames(kind: Kind, seconds: float) -> list[bytes]:
    """What the device sends in that time: ticks, and answers to what the codec asks for."""
    driver = find(kind.driver)
    side = kind.side(seed=3)
    asking = kind.codec()
    asking.reset()
    # A polled device is asked as often as the recorder looks whether a request is due.
    step = 0.25 if driver.polled else side.period
    found = []
    for number in range(round(seconds / step)):
        now = number * step
        sent = [side.answer(request, now) for request in _requests(driver, asking, now)]
        for data in (side.tick(now), *sent):
            if data:
                found.append(data)
                asking.feed(data, round(now * 1e9))
    return found


def reads(kind: Kind, frame: bytes) -> Iterator[bytes]:
    """The pieces in which a recorder is handed one frame: whole messages over MQTT, else what an adapter passes on."""
    if find(kind.driver).transports == ("mqtt",):
        yield frame
        return
    for start in range(0, len(frame), USB_READ):
        yield frame[start : start + USB_READ]


def _requests(driver: Driver, asking: Codec, now: float) -> list[bytes]:
    request = asking.request(now) if driver.polled else None
    return [request] if request else []
