"""The table of `parquet`: a reading a row, in order of vital and time, each vital a row group or several.

The rest of the chart (`view.told`) is JSON in the file's metadata, under `infusion_monitor.chart`.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped] # the library has no types
import pyarrow.parquet as pq  # type: ignore[import-untyped] # likewise
from numpy.typing import NDArray

from drivers.events import Validity
from drivers.vitals import VITALS
from monitor.review import view
from monitor.review.chart import Chart
from monitor.review.exports.registry import Export
from monitor.review.tracks import Track

_WORDS = pa.dictionary(pa.int32(), pa.string())
_SCHEMA = pa.schema(
    [
        pa.field("site", _WORDS, nullable=False),
        pa.field("session", _WORDS, nullable=False),
        pa.field("reference", _WORDS, nullable=False),
        pa.field("observed_at", pa.timestamp("ns", "UTC"), nullable=False),
        pa.field("since_opening", pa.duration("ns"), nullable=False),
        pa.field("phase", _WORDS),
        pa.field("vital", _WORDS, nullable=False),
        pa.field("value", pa.float64()),
        pa.field("unit", _WORDS),
        pa.field("validity", _WORDS, nullable=False),
        pa.field("cause", _WORDS),
        pa.field("device", _WORDS, nullable=False),
        pa.field("loinc", _WORDS),
        pa.field("mdc", pa.int32()),
    ]
)
_VALIDITIES = [validity.name.lower() for validity in Validity]


def write(export: Export, file: BinaryIO) -> None:
    """Write the whole file."""
    told = json.dumps(view.told(export.chart), ensure_ascii=False)
    schema = _SCHEMA.with_metadata({"infusion_monitor.chart": told})
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for track in export.chart.vitals.values():
            writer.write_table(pa.table(_columns(export, track), schema))


def _columns(export: Export, track: Track) -> dict[str, Any]:
    session, known, count = export.chart.session, VITALS.get(track.vital), len(track.at)
    return {
        "site": _one(export.site, count),
        "session": _one(session.id, count),
        "reference": _one(session.reference, count),
        "observed_at": pa.array(track.at).cast(pa.timestamp("ns", "UTC")),
        "since_opening": pa.array(track.at - session.opened_at).cast(pa.duration("ns")),
        "phase": _phases(export.chart, track.at),
        "vital": _one(track.vital, count),
        # Where there is no value it is null, never NaN: a mean of the column would be NaN as well.
        "value": pa.array(track.value, mask=~track.known),
        "unit": _one(None if known is None else known.unit, count),
        "validity": _words(track.validity, _VALIDITIES),
        "cause": _words(track.cause, [cause or None for cause in track.causes]),
        "device": _words(track.device, track.devices),
        "loinc": _one(None if known is None else known.loinc, count),
        "mdc": pa.array([None if known is None else known.mdc] * count, pa.int32()),
    }


def _one(word: str | None, count: int) -> Any:
    """A column that has the same word everywhere."""
    return _words(np.zeros(count, np.int32), [word])


def _words(places: NDArray[Any], table: Any) -> Any:
    """A column of words by their places in the table, int[n]; null where the word there is None."""
    without = np.array([word is None for word in table])[places]
    known = [word or "" for word in table]
    return pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int32), mask=without), pa.array(known, pa.string()))


def _phases(chart: Chart, at: NDArray[np.int64]) -> Any:
    """The phase of each moment; null before the opening and after the end."""
    since = [span.since for _, span in chart.phases]
    place = np.where(at <= chart.span.until, np.searchsorted(since, at, "right"), 0)
    return _words(place, [None, *(state.phase.value for state, _ in chart.phases)])
