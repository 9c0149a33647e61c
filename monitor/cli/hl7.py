"""`infusion-monitor hl7`: see to what the HL7 receiver refused."""

from __future__ import annotations

import typer

from monitor.cli.dead_letters import add_dead_letters
from monitor.sinks.mllp import MllpSink

hl7_app = typer.Typer(
    help="The HL7 receiver that the journal is forwarded to.", no_args_is_help=True, rich_markup_mode=None
)
add_dead_letters(hl7_app, MllpSink.name, "the HL7 receiver")
