"""What happens to a simulated patient: one YAML file each in `scenarios/`, named for what it shows."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML

from drivers.errors import ConfigError
from simulators.patient import Episode, Patient

_FOLDER = files("simulators") / "scenarios"

Seconds = Annotated[float, Field(ge=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EpisodePlan(_Section):
    """One thing that happens again and again; the fields of `patient.Episode`."""

    first: Seconds
    duration: Annotated[float, Field(gt=0)]
    every: Annotated[float, Field(gt=0)]
    spo2_falls_by: Annotated[float, Field(ge=0, le=60)] = 0.0
    probe_off: bool = False


class Scenario(_Section):
    """One scenario file."""

    says: str
    """What happens, in a sentence."""
    infusion_at: Seconds = 60.0
    episodes: tuple[EpisodePlan, ...] = ()

    def patient(self, seed: int, **more: Any) -> Patient:
        """The patient of that seed, to whom this happens; `more` are other fields of `Patient`."""
        episodes = tuple(Episode(**episode.model_dump()) for episode in self.episodes)
        return Patient(seed=seed, infusion_at=self.infusion_at, episodes=episodes, **more)


def scenario_names() -> list[str]:
    """The shipped scenarios."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _FOLDER.iterdir() if entry.name.endswith(".yaml"))


def load_scenario(name: str) -> Scenario:
    """The scenario of that name. Raises `ConfigError`, naming those that exist."""
    if name not in scenario_names():
        raise ConfigError([f"there is no scenario {name!r}; there are: {', '.join(scenario_names())}"])
    text = (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    return Scenario.model_validate(YAML(typ="safe", pure=True).load(text))
