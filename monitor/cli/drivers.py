"""`infusion-monitor drivers`: what is in the registry."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from drivers.codec import Driver
from drivers.registry import drivers


def list_drivers(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="The table of the README.")] = False,
) -> None:
    """List the drivers: devices, transports, vitals, confidence and every request that each may send."""
    if as_json:
        print(json.dumps([_described(driver) for driver in drivers().values()], indent=2))
    elif as_markdown:
        print(markdown_table())
    else:
        print("\n\n".join(_text(driver) for driver in drivers().values()))


def markdown_table() -> str:
    """The drivers as a table in Markdown."""
    rows = ["| driver | devices | over | vitals | confidence | asks |", "|---|---|---|---|---|---|"]
    rows += [
        f"| `{driver.name}` | {'; '.join(driver.devices)} | {', '.join(driver.transports)} "
        f"| {', '.join(driver.vitals)}{_waves(driver)} | {driver.confidence} "
        f"| {'; '.join(driver.requests.values()) or 'nothing, it only listens'} |"
        for driver in drivers().values()
    ]
    return "\n".join(rows)


def _waves(driver: Driver) -> str:
    return f"; waves {', '.join(driver.waveforms)}" if driver.waveforms else ""


def _described(driver: Driver) -> dict[str, Any]:
    return {
        "name": driver.name,
        "title": driver.title,
        "devices": list(driver.devices),
        "transports": list(driver.transports),
        "vitals": list(driver.vitals),
        "waveforms": list(driver.waveforms),
        "options": {
            name: {"default": option.get_default(call_default_factory=True), "about": option.description or ""}
            for name, option in driver.options.model_fields.items()
        },
        "line": {name: getattr(driver.line, name) for name in driver.line.__slots__},
        "confidence": driver.confidence,
        "source": driver.source,
        "requests": [{"bytes": data.hex(), "reads": reads} for data, reads in driver.requests.items()],
    }


def _text(driver: Driver) -> str:
    lines = [
        f"{driver.name}: {driver.title}",
        f"  devices     {'; '.join(driver.devices)}",
        f"  over        {', '.join(driver.transports)}",
        f"  vitals      {', '.join(driver.vitals)}",
    ]
    if driver.waveforms:
        lines.append(f"  waveforms   {', '.join(driver.waveforms)}")
    for name, option in driver.options.model_fields.items():
        default = option.get_default(call_default_factory=True)
        lines.append(f"  option      {name} (default {default}) {option.description or ''}".rstrip())
    lines.append(f"  confidence  {driver.confidence}")
    if driver.requests:
        lines += [f"  may send    {data!r} ({reads})" for data, reads in driver.requests.items()]
    else:
        lines.append("  may send    nothing, it only listens")
    return "\n".join(lines)
