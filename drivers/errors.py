"""Every error of the project, one tree. A class says what the caller should do; policy never depends on the text.

    InfusionMonitorError
    ├── TransientError            try again, with back-off and jitter
    │   ├── LinkLost              the device's link broke, or could not be opened yet
    │   ├── SinkBusy              a sink did not take what it was sent, and may do so later
    │   ├── StationSilent         the station did not say whether it did what it was asked
    │   └── TooManyAttempts       too many wrong logins came before this one; carries how long to wait
    ├── PersonNeeded              stop, and show it: trying again alone cannot help
    │   ├── LinkRefused           no permission, wrong password, a port that another program holds
    │   ├── BadCapture            a file that cannot be read as what it was said to be
    │   ├── SinkRefused           a sink's token, bucket or address is wrong
    │   ├── StepRefused           a session is not where that can be done; carries what is possible
    │   │   └── ConfirmationNeeded    it can be done, but somebody has to say so; carries what is open
    │   ├── SessionUnknown        there is no session of that name
    │   ├── AlertActionRefused    no such alert stands, or the profile in force does not allow that
    │   ├── ExtraMissing          a library that only some installations have; says how to install it
    │   ├── ExportRefused         a format cannot hold what it was asked to; says why, and which can
    │   ├── LoginRefused          nobody of that login and password may come in
    │   └── AccountRefused        an account or token cannot be given, changed or taken like that
    └── FatalError                loud, non-zero exit
        ├── RequestRefused        a byte string that no driver listed was about to be sent: a programming error
        ├── UnknownDriver         a name that is not in the registry
        ├── ConfigError           the configuration is wrong; carries file, line and path of each fault
        │   └── AccountsUnusable  the file of accounts is damaged, unreadable or of a newer program
        ├── StationRunning        a second copy was started on the same journal
        ├── PortInUse             the page's address is taken
        └── JournalUnusable       the journal's file cannot be opened, or is of a newer program
            └── JournalDamaged    its content is not what SQLite wrote

Errors of the operating system and of libraries are converted once, where they enter: in a transport or the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class InfusionMonitorError(Exception):
    """Root of the tree above."""


class TransientError(InfusionMonitorError):
    """May pass by itself: the caller tries again."""


class LinkLost(TransientError):
    """The link to a device broke or is not there yet."""


class SinkBusy(TransientError):
    """A sink could not be reached or has no room; `retry_after` is what it asked for, in seconds."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class StationSilent(TransientError):
    """Nobody knows whether the request was done; sent again with the same number, it is done once."""


class TooManyAttempts(TransientError):
    """A login is asked for too often: not before `seconds` from now. `first` says whether this wait is new."""

    def __init__(self, seconds: float, *, first: bool) -> None:
        super().__init__(f"too many wrong logins: try again in {seconds:.0f} s")
        self.seconds = seconds
        self.first = first


class PersonNeeded(InfusionMonitorError):
    """Only a person can help: the caller stops and shows it."""


class LinkRefused(PersonNeeded):
    """The other side, or the operating system, refused the link for good."""


class BadCapture(PersonNeeded):
    """A capture file is missing, unreadable or not in the announced form."""


class SinkRefused(PersonNeeded):
    """A sink refuses everything until somebody mends its configuration; the text says what."""


class StepRefused(PersonNeeded):
    """A session was asked for what it cannot do now; `possible` is what it can, as people would ask for it."""

    def __init__(self, text: str, possible: Iterable[str] = ()) -> None:
        super().__init__(text)
        self.possible = tuple(possible)


class ConfirmationNeeded(StepRefused):
    """Something is `open`: the same request with a confirmation, or with a reason, is done."""

    def __init__(self, text: str, still_open: Iterable[str], possible: Iterable[str] = ()) -> None:
        super().__init__(text, possible)
        self.open = tuple(still_open)


class SessionUnknown(PersonNeeded):
    """There is no session of that name where it was looked for."""


class AlertActionRefused(PersonNeeded):
    """Nobody can do that to the alerts of a bed now, or so long; the text says why."""


class ExtraMissing(PersonNeeded):
    """What was asked for needs a library that is not installed here."""


class ExportRefused(PersonNeeded):
    """A chart does not fit into the format that was asked for."""


@contextmanager
def extra(package: str, name: str) -> Iterator[None]:
    """Around the import of `package`, which the program's extra of that name brings. Raises ExtraMissing."""
    try:
        yield
    except ImportError as error:
        raise ExtraMissing(f'{package} is needed for that: pip install "infusion-monitor[{name}]"') from error


class LoginRefused(PersonNeeded):
    """The text does not say whether the login or the password is wrong, or the account disabled."""


class AccountRefused(PersonNeeded):
    """Nothing was changed; the text says why."""


class FatalError(InfusionMonitorError):
    """The program ends with a non-zero exit code."""


class RequestRefused(FatalError):
    """A transport was asked to send bytes that its driver has not listed."""


class UnknownDriver(FatalError):
    """No driver of that name is registered."""


class ConfigError(FatalError):
    """The configuration is wrong; `faults` holds every fault found, in the order of the file."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class AccountsUnusable(ConfigError):
    """Who may do what is not known. That is never the same as there being no accounts."""


class StationRunning(FatalError):
    """Another station holds the lock on this journal."""


class PortInUse(FatalError):
    """The page's address is already taken."""


class JournalUnusable(FatalError):
    """The journal's file cannot be used by this program."""


class JournalDamaged(JournalUnusable):
    """The journal's file is damaged."""
