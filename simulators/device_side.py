"""What the device's end of a wire is: a patient in, a real monitor's bytes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import signature
from typing import Any

from drivers.errors import UnknownDriver
from simulators.patient import Patient


class DeviceSide(ABC):
    """One simulated monitor. Time is in seconds since the patient's start and never goes back."""

    period: float = 1.0
    """Seconds between two calls of `tick`."""

    def __init__(self, patient: Patient) -> None:
        self.patient = patient

    @abstractmethod
    def tick(self, now: float) -> bytes:
        """What the device sends by itself at `now`; empty for a device that only answers."""

    def answer(self, data: bytes, now: float) -> bytes:  # noqa: ARG002 - most devices listen to nothing
        """What the device replies to the bytes it was sent."""
        return b""


def make_side(driver: str, patient: Patient, options: Mapping[str, Any] | None = None) -> DeviceSide:
    """The simulated device that speaks `driver`'s protocol, connected to `patient`.

    Of the driver's `options` it takes those that its own constructor knows (a Nonin its format). Raises
    `UnknownDriver` where there is none.
    """
    try:
        side: Callable[..., DeviceSide] = import_module(f"simulators.devices.{driver}").SIDE
    except ModuleNotFoundError:
        raise UnknownDriver(f"there is no simulated device for the driver {driver!r}") from None
    known = signature(side).parameters
    return side(patient, **{key: value for key, value in (options or {}).items() if key in known})
