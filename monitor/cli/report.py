"""`infusion-monitor report`: the chart of a session on paper, as PDF or HTML."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drivers.clock import SystemClock
from drivers.errors import ConfigError
from monitor.cli.charts import From, Site, source_of
from monitor.cli.options import Config, DataDir, configuration, data_folder
from monitor.cli.output_file import output_file
from monitor.cli.records import Source as Where

if TYPE_CHECKING:
    from datetime import tzinfo

_SUFFIXES = (".pdf", ".html")


class Lang(StrEnum):
    """`words.LANGUAGES`."""

    EN = "en"
    DE = "de"
    FR = "fr"
    ES = "es"


class Paper(StrEnum):
    """`content.PAPERS`."""

    A4 = "a4"
    LETTER = "letter"


def report(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Its id, as `session list` prints it.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="chart.pdf or chart.html.")],
    lang: Annotated[Lang, typer.Option(help="The language of the report; what people wrote stays as it is.")] = Lang.EN,
    paper: Annotated[Paper, typer.Option(help="Its size.")] = Paper.A4,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Whose times it tells: Europe/Berlin; else this machine's zone.")
    ] = None,
    as_signed: Annotated[bool, typer.Option("--as-signed", help="As the chart was when it was last signed.")] = False,
    where: From = Where.JOURNAL,
    site: Site = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Write the chart of a session as a report: the drawing on its first page, then tables of all that was recorded.

    The same record gives the same file, byte for byte. A session that is open is shown as it is now. PDF needs typst:
    pip install "infusion-monitor[report]".
    """
    if output.suffix not in _SUFFIXES:
        raise ConfigError([f"-o {output}: expected a name that ends in {' or '.join(_SUFFIXES)}"])
    zone = _zone(timezone)
    # All of this takes longer to load than most commands take.
    from monitor.review.chart import build  # noqa: PLC0415 - see above
    from monitor.review.report import html, pdf  # noqa: PLC0415 - likewise
    from monitor.review.report.content import Report  # noqa: PLC0415 - likewise
    from monitor.storage.session_mark import mark_of  # noqa: PLC0415 - likewise

    source = source_of(where, data_dir, config, site)
    found, now = source.session(session), SystemClock.now_ns()
    then = found.as_signed() if as_signed else None
    if as_signed and then is None:
        raise ConfigError([f"--as-signed: the chart of session {session} was never signed"])
    chart = build(source, found, now)
    made = Report(
        chart,
        None if then is None else build(source, then, now),
        _site(where, data_dir, config, site),
        None if where is Where.INFLUXDB else mark_of(data_folder(config, data_dir), then or found),
        lang.value,
        paper.value,
        zone,
        from_influxdb=where is Where.INFLUXDB,
    )
    content = (pdf if output.suffix == ".pdf" else html).render(made)
    with output_file(output) as file:
        file.write(content)


def _site(where: Where, data_dir: Path | None, config: Path | None, site: str | None) -> str:
    """Where the session was; unknown of a journal whose configuration nobody named."""
    if site is not None:
        return site
    if where is Where.JOURNAL and data_dir is not None and config is None:
        return ""
    return configuration(config).site


def _zone(name: str | None) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - only this command needs it

    from babel.localtime import get_localzone  # noqa: PLC0415 - likewise

    if name is None:
        return get_localzone()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError([f"--timezone {name}: there is no such zone; expected a name like Europe/Berlin"]) from None
