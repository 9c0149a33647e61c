"""All checks, in the order in which a person wants to read them."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.doctor import machine, page, reach, records
from monitor.doctor.findings import Check, Finding, Subject, fault

CHECKS: tuple[Check, ...] = (
    machine.versions,
    records.configuration,
    machine.disk,
    machine.permissions,
    machine.clock,
    records.station,
    page.certificate,
    page.accounts,
    records.journal,
    records.set_aside,
    records.sinks,
    records.dead_letters,
    reach.influxdb,
    reach.hl7,
    reach.serial_ports,
    reach.broker,
)


def examine(subject: Subject, checks: tuple[Check, ...] = CHECKS) -> Iterator[Finding]:
    """The findings of each check; one that fails itself is a finding too."""
    for check in checks:
        try:
            yield from check(subject)
        except OSError as error:
            yield fault(_name(check), f"cannot be looked at: {error}", "run the doctor as the station's user")
        except Exception as error:  # noqa: BLE001 - who is ill must not keep the doctor from looking at the rest
            text = f"cannot be looked at: {type(error).__name__}: {error}"
            yield fault(_name(check), text, "tell whoever maintains this program")


def _name(check: Check) -> str:
    return check.__name__.replace("_", " ")
