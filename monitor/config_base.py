"""What every section of a site's configuration is made of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from drivers.errors import ConfigError

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
"""Lower-case letters, digits, - and _: it becomes part of topics, tags and addresses."""
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Section(BaseModel):
    """A section: unknown keys are refused, and so is what only could be taken for the type that a key has."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def secret(where: str, variable: str | None, file: str | None) -> str | None:
    """What an environment variable or a file holds; None where neither is named.

    `where` names the key without its ending. Raises `ConfigError`, which does not show the secret, where it is not to
    be had.
    """
    if variable is not None:
        text = os.environ.get(variable)
        if text is None:
            raise ConfigError([f"{where}_env: the environment has no variable {variable}"])
    elif file is not None:
        try:
            text = Path(file).read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError([f"{where}_file: {file}: {error.strerror}"]) from error
        except UnicodeDecodeError:
            # Its text would show what is in the file.
            raise ConfigError([f"{where}_file: {file}: not text in UTF-8"]) from None
    else:
        return None
    if not (text := text.strip()):
        raise ConfigError([f"{where}: it is empty"])
    return text
