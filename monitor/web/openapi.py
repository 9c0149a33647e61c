"""The description of the API: what the framework makes of the routes, and what all of them have in common."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from monitor.web.errors import ErrorBody

_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "Of a machine: `infusion-monitor token add` gives it.",
    },
    "login": {
        "type": "apiKey",
        "in": "cookie",
        "name": "infusion-monitor",
        "description": (
            "Of a browser whose person has logged in; behind a proxy with TLS it is called `__Host-infusion-monitor`. "
            "What changes something then needs the header `X-CSRF-Token` too, with what `/api/me` gives."
        ),
    },
}
_ANYWHERE = {"400": "The station is not called that", "403": "Not from there, or not with that role"}
"""What may be answered to everything."""
_CHANGES = {"415": "Not as JSON"}
"""What may be answered to all that changes something."""
_OF_FRAMEWORK = ("HTTPValidationError", "ValidationError")
"""Schemas of errors that look different here."""
_PASSWORD = "/api/login"  # noqa: S105 - a path
"""There 401 is no question of who asks."""


def description(app: FastAPI) -> dict[str, Any]:
    """The routes of `app`, as OpenAPI."""
    made = app.openapi()
    components = made.setdefault("components", {})
    if "securitySchemes" in components:
        return made
    components["securitySchemes"] = _SCHEMES
    schemas = components.setdefault("schemas", {})
    schemas.setdefault(ErrorBody.__name__, ErrorBody.model_json_schema())
    for name in _OF_FRAMEWORK:
        schemas.pop(name, None)
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    return made


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    for status, text in (_ANYWHERE if method == "get" else _ANYWHERE | _CHANGES).items():
        responses.setdefault(status, {"description": text, "content": _error()})
    if _OF_FRAMEWORK[0] in str(responses.get("422")):
        responses["422"] = {"description": "Not a request of that form", "content": _error()}
    operation["responses"] = dict(sorted(responses.items()))
    if "401" in responses and path != _PASSWORD:
        operation["security"] = [{name: []} for name in _SCHEMES]


def _error() -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{ErrorBody.__name__}"}}}
