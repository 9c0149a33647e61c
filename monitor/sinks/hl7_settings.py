"""The `hl7` section of a configuration: where HL7 messages are sent to, and which."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from monitor.config_base import Section
from monitor.hl7.message import SENDER, Names

Party = Annotated[str, Field(pattern=r"^[^|~\\&\x00-\x20\x7f^]([^|~\\&\x00-\x1f\x7f]{0,225}[^|~\\&\x00-\x20\x7f])?$")]
"""An application or a facility as it stands in a message (data type HD): a name, or NAME^ID^TYPE."""


class Hl7TlsConfig(Section):
    """How the receiver is known, and how the station is known to it where it asks."""

    FILES: ClassVar = ("ca_file", "cert_file", "key_file")
    """Those of the keys below that name a file."""

    ca_file: str | None = None
    """The authority of the receiver's certificate, in place of the public ones."""
    cert_file: str | None = None
    key_file: str | None = None


class Hl7Config(Section):
    """The receiver of the messages, an interface engine as a rule: MLLP over TCP."""

    host: Annotated[str, Field(pattern=r"^[0-9A-Za-z:.-]{1,253}$")]
    port: Annotated[int, Field(ge=1, le=65535)] = 2575
    tls: Hl7TlsConfig | None = None
    plain: bool = False
    """Whether vitals may go over a network in clear."""
    receiving_application: Party | None = None
    receiving_facility: Party | None = None
    sending_application: Party = SENDER
    sending_facility: Party | None = None
    """The site's name where it is left out."""
    every_s: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """Seconds of which the first reading of each vital is sent; 0 sends every reading. Cuff readings all are."""
    alerts: bool = True
    """Whether changes of alerts are sent."""
    ack_within: Annotated[float, Field(gt=0, le=600)] = 30.0
    """Seconds that an acknowledgement may take."""

    def names(self, site: str) -> Names:
        """What the messages of that site say of sender and receiver."""
        return Names(
            site,
            self.sending_application,
            self.sending_facility or site,
            self.receiving_application or "",
            self.receiving_facility or "",
        )
