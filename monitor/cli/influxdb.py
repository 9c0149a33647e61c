"""`infusion-monitor influxdb`: set up the bucket that the journal is forwarded to, and see to what it refused."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from drivers.errors import ConfigError
from monitor.cli import token_file
from monitor.cli.dead_letters import add_dead_letters
from monitor.config import InfluxdbConfig
from monitor.config_checks import influxdb_url_problem, sends_in_clear
from monitor.sinks.influxdb import InfluxdbSink

influxdb_app = typer.Typer(
    help="The InfluxDB that the journal is forwarded to.", no_args_is_help=True, rich_markup_mode=None
)

SINK = InfluxdbSink.name

_HOURS = {"h": 1, "d": 24, "w": 168}
_MOST_HOURS = 36_500 * 24


@influxdb_app.command()
def setup(
    url: Annotated[str, typer.Option(help="The server, http(s)://host:port.")],
    org: Annotated[str, typer.Option(help="The organisation; it must be there, but with --onboard.")],
    bucket: Annotated[str, typer.Option(help="The bucket; made if it is not there yet.")],
    retention: Annotated[
        str, typer.Option(metavar="T", help="How long a new bucket keeps points: 48h, 90d, 52w; 0 keeps them for ever.")
    ] = "0",
    token_env: Annotated[
        str, typer.Option(help="The environment variable with an operator or all-access token.")
    ] = "INFLUX_TOKEN",  # noqa: S107 - a name, no secret
    token_file_: Annotated[Path | None, typer.Option("--token-file", help="A file with such a token instead.")] = None,
    write_token_to: Annotated[Path, typer.Option(help="The file for the station's token, which may only write.")] = (
        Path("infusion-data/influxdb.token")
    ),
    read_token_to: Annotated[Path, typer.Option(help="The file for a token that may only read.")] = (
        Path("infusion-data/influxdb-read.token")
    ),
    ca_file: Annotated[Path | None, typer.Option(help="The authority of the server's certificate.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Let http:// send tokens over a network.")] = False,
    onboard: Annotated[
        bool,
        typer.Option(
            "--onboard",
            help="The server is new: make its first user too, whose password is in INFLUX_PASSWORD or asked for.",
        ),
    ] = False,
    username: Annotated[str | None, typer.Option(help="The first user's name, with --onboard.")] = None,
) -> None:
    """Make a bucket and two tokens for it on an InfluxDB 2, try them, and print the configuration.

    What is there already and works is left as it is, so that it may be run again. It writes no point, and shows no
    token.
    """
    from monitor.cli import set_up  # noqa: PLC0415 - InfluxDB's library would double the time that any command starts in
    from monitor.sinks.influxdb_setup import READ, WRITE, Place  # noqa: PLC0415 - likewise

    url = url.rstrip("/")
    files = {WRITE: write_token_to, READ: read_token_to}
    _check(url, org, bucket, files, insecure=insecure)
    keeps = _seconds(retention)
    place = Place(url, org, bucket, None if ca_file is None else str(ca_file))
    if onboard:
        if not username:
            raise ConfigError(["--onboard needs --username, the name of the first user"])
        token = set_up.onboard(place, keeps, username, _password())
    else:
        token = _manager(token_env, token_file_)
    set_up.set_up(place, keeps, token, files, insecure=insecure and sends_in_clear(url))


def _check(url: str, org: str, bucket: str, files: dict[str, Path], *, insecure: bool) -> None:
    if problem := influxdb_url_problem(url):
        raise ConfigError([f"--url {problem}"])
    try:
        InfluxdbConfig(url=url, org=org, bucket=bucket)
    except ValidationError as error:
        raise ConfigError([f"--{one['loc'][0]}: {one['msg']}" for one in error.errors()]) from None
    if sends_in_clear(url) and not insecure:
        raise ConfigError(
            [f"--url {url}: http:// would send tokens in clear over the network: use https://, or say --insecure"]
        )
    if len({file.absolute() for file in files.values()}) < len(files):
        raise ConfigError(["--read-token-to: is the file of --write-token-to"])


def _seconds(retention: str) -> int:
    if retention == "0":
        return 0
    match = re.fullmatch(r"(\d{1,6})([hdw])", retention)
    hours = int(match[1]) * _HOURS[match[2]] if match else 0
    if not 1 <= hours <= _MOST_HOURS:
        raise ConfigError([f"--retention {retention}: expected 48h, 90d or 52w, at most 36500d, or 0 for ever"])
    return hours * 3600


def _manager(variable: str, file: Path | None) -> str:
    if file is not None:
        token = token_file.read(file)
        if token is None:
            raise ConfigError([f"--token-file {file}: there is no such file"])
        return token
    token = os.environ.get(variable, "").strip()
    if not token:
        who = "an operator or all-access token of the server"
        raise ConfigError([f"the environment has no variable {variable}: put {who} there, or name a --token-file"])
    return token


def _password() -> str:
    password = os.environ.get("INFLUX_PASSWORD")
    if password is None:
        asked: str = typer.prompt("Password of the first user", hide_input=True, confirmation_prompt=True)
        return asked
    return password


add_dead_letters(influxdb_app, SINK, "InfluxDB")
