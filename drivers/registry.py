"""Which drivers there are: one line each here, and whatever other packages bring.

A module of `drivers.protocols` exports `DRIVER`; so does a module that another package names in the entry-point group
`infusion_monitor.drivers`. Modules are imported when first asked for.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from drivers.codec import Driver
from drivers.errors import UnknownDriver

ENTRY_POINTS = "infusion_monitor.drivers"

_BUILT_IN = (
    "dinamap",
    "ivy450c",
    "mqtt_json",
    "nonin",
)


@cache
def drivers() -> dict[str, Driver]:
    """Every driver by name, in alphabetical order; the project's own come before another package's of the same name."""
    found: dict[str, Driver] = {point.name: point.load() for point in entry_points(group=ENTRY_POINTS)}
    found |= {name: import_module(f"drivers.protocols.{name}").DRIVER for name in _BUILT_IN}
    return dict(sorted(found.items()))


def find(name: str) -> Driver:
    """The driver of that name. Raises `UnknownDriver`, naming those that exist."""
    try:
        return drivers()[name]
    except KeyError:
        raise UnknownDriver(f"there is no driver {name!r}; there are: {', '.join(drivers())}") from None
