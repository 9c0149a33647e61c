"""An OpenID Connect provider in the test's hand: what it says in its ID token, and how it signs it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "station", "s3cret-of-the-station"


_KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})


class Provider:
    """Answers with `claims` over what is right, signed by `key` in `header`."""

    def __init__(self) -> None:
        self.key: Any = _KEY
        self.shown: Any = self.key
        """Whose public side is to be had; another one where it lies."""
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "one"}
        self.claims: dict[str, Any] = {}
        self.left_out: set[str] = set()
        self.metadata: dict[str, Any] = {}
        self.challenge = self.nonce = self.issuer = ""
        self.codes: list[str] = []
        """Those that were asked for."""
        self.refuses = False

    def asked(self, query: dict[str, list[str]]) -> None:
        """Take over what the browser was sent with."""
        assert query["response_type"] == ["code"]
        assert query["client_id"] == [CLIENT]
        assert query["code_challenge_method"] == ["S256"]
        assert "openid" in query["scope"][0].split()
        self.challenge, self.nonce = query["code_challenge"][0], query["nonce"][0]

    async def _configuration(self, _request: Request) -> Response:
        there = {name: f"{self.issuer}/{name}" for name in ("authorize", "token", "jwks")}
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": there["authorize"],
                "token_endpoint": there["token"],
                "jwks_uri": there["jwks"],
                **self.metadata,
            }
        )

    async def _jwks(self, _request: Request) -> Response:
        return JSONResponse(KeySet([self.shown]).as_dict())

    async def _token(self, request: Request) -> Response:
        said = {key: values[0] for key, values in parse_qs((await request.body()).decode()).items()}
        self.codes.append(said.get("code", ""))
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        digest = hashlib.sha256(said["code_verifier"].encode()).digest()
        proven = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == self.challenge
        if self.refuses or request.headers.get("authorization") != f"Basic {basic}" or not proven:
            return JSONResponse({"error": "invalid_grant", "error_description": "\x1b[31mnot yours"}, 400)
        now = int(time.time())
        right = {
            "iss": self.issuer,
            "sub": "1",
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": self.nonce,
            "preferred_username": "anna",
        }
        claims = {key: value for key, value in {**right, **self.claims}.items() if key not in self.left_out}
        token = self._signed(claims)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": token})

    def _signed(self, claims: dict[str, Any]) -> str:
        if self.header["alg"] == "none":
            parts = [json.dumps(part).encode() for part in (self.header, claims)]
            return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""])
        return jwt.encode(self.header, claims, self.key, algorithms=["RS256", "HS256", "ES256"])


@contextlib.asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    served = Provider()
    routes = [
        Route("/.well-known/openid-configuration", served._configuration),
        Route("/jwks", served._jwks),
        Route("/token", served._token, methods=["POST"]),
    ]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=0, log_config=None, lifespan="off"))
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign] # signals are the test's
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    served.issuer = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield served
    server.should_exit = True
    await task


def other_keys() -> dict[str, Any]:
    """Keys that are not the provider's, by the algorithm."""
    return {
        "RS256": RSAKey.generate_key(2048, {"kid": "one"}),
        "ES256": ECKey.generate_key("P-256", {"kid": "one"}),
        "HS256": OctKey.import_key(SECRET, {"kid": "one"}),
    }
