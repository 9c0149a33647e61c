"""What every section of a site's configuration is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
"""Lower-case letters, digits, - and _: it becomes part of topics, tags and addresses."""
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Section(BaseModel):
    """A section: unknown keys are refused, and so is what only could be taken for the type that a key has."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
