"""A session as a bundle of FHIR R4 in JSON, a resource a line; `docs/exports.md` tells which resources say what.

Written as it is made, so that hours of readings need little memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

import monitor
from monitor.review.exports import fhir_terms as terms
from monitor.review.exports.fhir_observations import observations
from monitor.review.exports.fhir_resources import resources
from monitor.review.exports.registry import Export


class FhirExporter:
    """See the module."""

    name = "fhir"
    suffix = ".json"
    media_type = "application/fhir+json"
    extra = ""

    def write(self, export: Export, file: BinaryIO) -> None:
        """See `Exporter.write`."""
        file.writelines(line.encode() for line in _lines(export))


EXPORTER = FhirExporter()


def _lines(export: Export) -> Iterator[str]:
    chart, ids = export.chart, terms.Ids(export)
    head = {
        "resourceType": "Bundle",
        "meta": {"tag": [{"code": f"infusion-monitor-{monitor.__version__}"}]},
        # Of the chart as it stood: one entry more makes another bundle.
        "identifier": {"value": f"{chart.session.id}/{len(chart.session.entries)}"},
        "type": "collection",
        "timestamp": terms.instant(terms.as_of(chart)),
    }
    yield _json(head).removesuffix("}") + ',"entry":['
    before = "\n"
    for resource in chain(resources(export, ids), observations(chart.vitals, ids)):
        yield before + _json({"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource})
        before = ",\n"
    yield "\n]}\n"


def _json(it: object) -> str:
    return json.dumps(it, ensure_ascii=False, separators=(",", ":"))
