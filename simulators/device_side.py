"""What the device's end of a wire is: a patient in, a real monitor's bytes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import signature
from typing import Any

from pydantic import TypeAdapter, ValidationError

from drivers import registry
from drivers.errors import ConfigError, UnknownDriver
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

    Of the `options` it takes those that its own constructor knows (a Nonin its format); `check_options` is for what a
    person wrote. Raises `UnknownDriver` where there is none.
    """
    side = _side(driver)
    known = _own_options(side)
    return side(patient, **{key: value for key, value in (options or {}).items() if key in known})


def check_options(driver: str, options: Mapping[str, str]) -> dict[str, Any]:
    """The options' values as `make_side` takes them: options of the driver, or of its simulated device alone.

    Raises `ConfigError` for those that neither knows and for values that they cannot have, else as `make_side`.
    """
    own = _own_options(_side(driver))
    model = registry.find(driver).options
    of_driver = {key: value for key, value in options.items() if key in model.model_fields}
    values: dict[str, Any] = {}
    faults = []
    try:
        checked = model.model_validate(of_driver)
        values |= {key: getattr(checked, key) for key in of_driver}
    except ValidationError as error:
        faults += [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
    for key in options.keys() - of_driver.keys():
        if key not in own:
            known = ", ".join(sorted({*model.model_fields, *own})) or "none"
            faults.append(f"{key}: {driver} has no such option; there are: {known}")
            continue
        try:
            values[key] = TypeAdapter(own[key]).validate_python(options[key])
        except ValidationError as error:
            faults += [f"{key}: {fault['msg']}" for fault in error.errors()]
    if faults:
        raise ConfigError([f"--option {fault}" for fault in sorted(faults)])
    return values


def _side(driver: str) -> Callable[..., DeviceSide]:
    try:
        side: Callable[..., DeviceSide] = import_module(f"simulators.devices.{driver}").SIDE
    except ModuleNotFoundError:
        raise UnknownDriver(f"there is no simulated device for the driver {driver!r}") from None
    return side


def _own_options(side: Callable[..., DeviceSide]) -> dict[str, Any]:
    """What its constructor takes besides the patient, with the types."""
    _, *own = signature(side, eval_str=True).parameters.values()
    return {parameter.name: parameter.annotation for parameter in own}
