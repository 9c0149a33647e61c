"""A station's configuration for measured devices: one bed for each, with the alert profile that is shipped."""

from __future__ import annotations

import json
from collections.abc import Sequence

from benchmarks.streams import Kind
from monitor.alerts.profile_file import DEFAULT


def configuration(devices: Sequence[Kind], addresses: Sequence[str]) -> str:
    """It as JSON, which is YAML too. Device n is `device` of the bed `chair-n`, counted from 1."""
    beds = [
        {
            "id": f"chair-{number}",
            "devices": [{"id": "device", "driver": kind.driver, "url": address, "options": dict(kind.options)}],
        }
        for number, (kind, address) in enumerate(zip(devices, addresses, strict=True), start=1)
    ]
    whole = {
        "site": "bench",
        "web": {"port": 0},
        "beds": beds,
        "alerts": {"profile": DEFAULT},
    }
    return json.dumps(whole)
