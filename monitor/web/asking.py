"""Reads what somebody asks for: JSON of a form, with the name of who asks."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from fastapi import Query
from pydantic import TypeAdapter, ValidationError, WithJsonSchema
from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request

from monitor.accounts.people import Person
from monitor.request_faults import faults
from monitor.sessions.requests import Moment
from monitor.web.errors import Refusal

LONGEST_BODY = 65_536
"""Bytes; the longest request has a note of 4000 characters."""

_Time = Annotated[Moment, WithJsonSchema({"type": "string", "format": "date-time"})]
Since = Annotated[_Time | None, Query(description="Not before that time: RFC 3339, with Z or another zone.")]
"""Becomes UTC nanoseconds."""
Until = Annotated[_Time | None, Query(description="Before that time: RFC 3339, with Z or another zone.")]

_BY = (
    "Who does it. Of one who is known by a login or a token the station knows it: it may be left out, and is not used."
)

_Asked = TypeVar("_Asked")


async def asked(
    request: Request, form: TypeAdapter[_Asked], person: Person | None = None, *, longest: int = LONGEST_BODY
) -> _Asked:
    """What is asked, in that form and in so many bytes; `person` is who asks, where the form has a `by`.

    Who is known by name is named by the station, whatever the request says. Raises Refusal.
    """
    try:
        body = await _body(request, longest)
    except ClientDisconnect:
        raise Refusal(400, "bad_request", "the request did not come to its end") from None
    if body is None:
        raise Refusal(413, "too_large", f"more than {longest} bytes", headers={"Connection": "close"})
    try:
        if person is not None and person.via.named:
            body = _by(body, person.name)
        return form.validate_json(body)
    except ValidationError as error:
        raise Refusal(422, "invalid", "; ".join(faults(error))) from None
    except ValueError:
        raise Refusal(422, "invalid", "this is not JSON that can be read") from None


def described(form: TypeAdapter[Any]) -> dict[str, Any]:
    """For the description of a route: the body that it takes."""
    schema = form.json_schema(ref_template="#/components/schemas/{model}")
    for one in (schema, *schema.get("$defs", {}).values()):
        fields, required = one.get("properties", {}), one.setdefault("required", [])
        if "by" in fields:
            fields["by"]["description"] = _BY
            required.remove("by")
        if "verb" in fields:
            # Of several forms it says which one is meant.
            required.append("verb")
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _inlined(schema)}}}}


def _by(body: bytes, name: str) -> bytes:
    """The same with that name. Raises ValueError where it is no JSON, or too deep or long a number to be written."""
    fields = from_json(body)
    return json.dumps({**fields, "by": name}).encode() if isinstance(fields, dict) else body


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its definitions in place of references, since each route has a body of its own."""
    definitions = schema.pop("$defs", {})

    def inline(part: object) -> Any:
        if isinstance(part, list):
            return [inline(one) for one in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return inline(definitions[part["$ref"].rpartition("/")[2]])
        # The forms are told apart by their verb's constant as well.
        return {key: inline(value) for key, value in part.items() if key != "discriminator"}

    inlined: dict[str, Any] = inline(schema)
    return inlined


async def _body(request: Request, longest: int) -> bytes | None:
    """None where it is too large; no more than that is ever held."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > longest:
            return None
    return body
