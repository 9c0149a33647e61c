"""The command line as a whole, and what becomes of an error that reaches it."""

from __future__ import annotations

import os
import sys

import typer

from drivers.errors import ConfigError, InfusionMonitorError
from monitor.cli.alert import alert_app
from monitor.cli.audit import audit
from monitor.cli.backup import backup
from monitor.cli.check import check
from monitor.cli.decode import decode
from monitor.cli.doctor import doctor
from monitor.cli.drivers import list_drivers
from monitor.cli.export import export
from monitor.cli.hl7 import hl7_app
from monitor.cli.import_ import import_
from monitor.cli.influxdb import influxdb_app
from monitor.cli.records import alerts, readings
from monitor.cli.report import report
from monitor.cli.run import run
from monitor.cli.session import session_app
from monitor.cli.simulate import simulate
from monitor.cli.summary import summary
from monitor.cli.token import token_app
from monitor.cli.user import user_app
from monitor.cli.verify import verify
from monitor.cli.what_if import what_if

app = typer.Typer(
    name="infusion-monitor",
    help="Records and alerts beside the bedside monitors of an infusion clinic. It never controls anything.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(run)
app.command()(check)
app.command(name="drivers")(list_drivers)
app.command()(decode)
app.command()(simulate)
app.command()(readings)
app.command()(alerts)
app.command()(audit)
app.command()(verify)
app.command()(backup)
app.command()(doctor)
app.command(name="what-if")(what_if)
app.command()(report)
app.command(name="import")(import_)
app.command()(export)
app.command()(summary)
app.add_typer(session_app, name="session")
app.add_typer(alert_app, name="alert")
app.add_typer(user_app, name="user")
app.add_typer(token_app, name="token")
app.add_typer(influxdb_app, name="influxdb")
app.add_typer(hl7_app, name="hl7")


def main() -> None:
    """Run the command; a known error becomes one clear text on stderr and a non-zero exit code."""
    try:
        app(prog_name="infusion-monitor")
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except InfusionMonitorError as error:
        print(f"infusion-monitor: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough; keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
