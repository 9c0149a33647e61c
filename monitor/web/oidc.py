"""Logging in elsewhere: OpenID Connect, the authorization code flow with PKCE.

    browser -> /oidc/login -> the provider -> /oidc/callback?code,state -> here: code + verifier -> provider: ID token

What was begun here is kept here, for ten minutes: the state that comes back, the nonce that the ID token must have, and
the verifier without which a code that somebody else saw is of no use. It is bound to the browser that began it by a
cookie, so that nobody can have another one's browser log in as himself.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from drivers.clock import Clock
from drivers.errors import LoginRefused, TransientError
from monitor.web.settings import OidcConfig, is_loopback

LASTS = 600.0
"""Seconds that somebody has for logging in at the provider."""
_MOST = 2000
_MOST_OF_ONE = 40
"""Logins under way, in all and from one address: whoever floods the station pushes out his own."""
_WITHIN = (5.0, 10.0)
"""Seconds for a connection to the provider, and for each piece of its answer."""
_LEEWAY = 60
"""Seconds that the provider's clock may differ."""
_METADATA_LASTS = 3600.0
"""Seconds; the provider's keys are read again as well where one is missing."""
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by a key of the provider's own: never `none`, and none by a secret that both have."""


class ProviderSilent(TransientError):
    """The provider does not answer, or not as one does."""


@dataclass(frozen=True)
class Begun:
    """A login that somebody has begun."""

    nonce: str
    verifier: str
    browser_sha256: str
    address: str
    next: str
    """The path to go on to."""
    until: float
    """On the monotonic clock."""


class Begins:
    """The logins that are under way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun: dict[str, Begun] = {}

    def begin(self, address: str, next_path: str) -> tuple[str, str, Begun]:
        """Give the state, the secret for the browser's cookie, and what is kept."""
        now = self._clock.monotonic()
        # They are in the order in which they end.
        for state in [state for state, one in self._begun.items() if one.until <= now]:
            del self._begun[state]
        of_address = [state for state, one in self._begun.items() if one.address == address]
        if len(of_address) >= _MOST_OF_ONE:
            del self._begun[of_address[0]]
        elif len(self._begun) >= _MOST:
            del self._begun[next(iter(self._begun))]
        state, browser, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        begun = Begun(secrets.token_urlsafe(32), verifier, _sha256(browser), address, next_path, now + LASTS)
        self._begun[state] = begun
        return state, browser, begun

    def take(self, state: str, browser: str) -> Begun | None:
        """What was begun under that state by that browser, once; None where there is nothing of the kind."""
        begun = self._begun.get(state)
        if begun is None or not hmac.compare_digest(begun.browser_sha256, _sha256(browser)):
            return None
        del self._begun[state]
        return begun if begun.until > self._clock.monotonic() else None


class Provider:
    """The provider of a configuration. Both methods ask the network: call them in a thread."""

    def __init__(self, config: OidcConfig, clock: Clock) -> None:
        """Raises `ConfigError` where the secret is not to be had."""
        self._config = config
        self._clock = clock
        self._secret = config.client_secret()
        # The authorities whose certificates are taken: said with each request, as the environment could say others.
        self._trusted: str | bool = config.ca_file or True
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] = {}
        self._metadata_until = 0.0
        self._keys: dict[str, Any] = {}

    def login_address(self, state: str, begun: Begun, callback: str) -> str:
        """Where the browser is to be sent. Raises ProviderSilent."""
        with self._session(callback) as session:
            endpoint = self._known(session)["authorization_endpoint"]
            address: str = session.create_authorization_url(
                endpoint, state=state, nonce=begun.nonce, code_verifier=begun.verifier
            )[0]
        return address

    def claims(self, code: str, begun: Begun, callback: str) -> Mapping[str, Any]:
        """What the provider says of who has logged in, proven. Raises ProviderSilent, or LoginRefused."""
        from authlib.common.errors import AuthlibBaseError  # noqa: PLC0415 - of an extra, and not quick to import

        with self._session(callback) as session:
            metadata = self._known(session)
            methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            if "client_secret_basic" not in methods and "client_secret_post" in methods:
                session.token_endpoint_auth_method = "client_secret_post"  # noqa: S105 - a word, no secret
            try:
                with _answered():
                    token = session.fetch_token(
                        metadata["token_endpoint"],
                        grant_type="authorization_code",
                        code=code,
                        code_verifier=begun.verifier,
                        allow_redirects=False,
                        verify=self._trusted,
                    )
            except AuthlibBaseError as error:
                raise LoginRefused(f"the provider does not take the code: {str(error.error)[:40]!r}") from None
            return self._proven(session, token, begun.nonce)

    def _proven(self, session: Any, token: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        from authlib.oidc.core import CodeIDToken  # noqa: PLC0415 - of an extra, and not quick to import
        from joserfc import jwt  # noqa: PLC0415 - likewise
        from joserfc.errors import InvalidKeyIdError, JoseError  # noqa: PLC0415 - likewise

        id_token = token.get("id_token")
        if not isinstance(id_token, str):
            raise LoginRefused("the provider gave no ID token")
        try:
            try:
                signed = jwt.decode(id_token, self._key_set(session), algorithms=_ALGORITHMS)
            except InvalidKeyIdError:
                # It has a new key.
                self._keys = {}
                signed = jwt.decode(id_token, self._key_set(session), algorithms=_ALGORITHMS)
            proven = CodeIDToken(
                signed.claims,
                signed.header,
                {
                    "iss": {"essential": True, "value": self._config.issuer},
                    "aud": {"essential": True, "value": self._config.client_id},
                },
                {
                    "nonce": nonce,
                    "client_id": self._config.client_id,
                    "access_token": token.get("access_token"),
                },
            )
            proven.validate(now=self._clock.now_ns() // 1_000_000_000, leeway=_LEEWAY)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise LoginRefused(f"the provider's ID token proves nothing: {error}") from None
        claims: dict[str, Any] = dict(proven)
        return claims

    def _key_set(self, session: Any) -> Any:
        from joserfc.jwk import KeySet  # noqa: PLC0415 - of an extra, and not quick to import

        if not self._keys:
            self._keys = _json(session, self._known(session)["jwks_uri"], trusted=self._trusted)
        return KeySet.import_key_set(self._keys)  # type: ignore[arg-type] # what the provider says it is

    def _known(self, session: Any) -> dict[str, Any]:
        """What the provider says of itself."""
        with self._lock:
            if self._clock.monotonic() >= self._metadata_until or not self._metadata:
                issuer = self._config.issuer
                found = _json(session, f"{issuer.rstrip('/')}/.well-known/openid-configuration", trusted=self._trusted)
                if found.get("issuer") != issuer:
                    raise ProviderSilent(f"what answers there calls itself {found.get('issuer')!r}, not {issuer!r}")
                for key in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    if not _is_safe(found.get(key)):
                        raise ProviderSilent(f"the provider has no {key} with https://")
                self._metadata, self._keys = found, {}
                self._metadata_until = self._clock.monotonic() + _METADATA_LASTS
            return self._metadata

    def _session(self, callback: str) -> Any:
        from authlib.integrations.requests_client import OAuth2Session  # noqa: PLC0415 - of an extra, not quick

        return OAuth2Session(
            self._config.client_id,
            self._secret,
            scope="openid profile",
            redirect_uri=callback,
            code_challenge_method="S256",
            default_timeout=_WITHIN,
        )


@contextmanager
def _answered() -> Iterator[None]:
    """Raises ProviderSilent for what the network does, and for what no provider answers."""
    from requests import RequestException  # noqa: PLC0415 - of an extra, and not quick to import

    try:
        yield
    except (RequestException, OSError) as error:
        raise ProviderSilent(f"the provider does not answer: {type(error).__name__}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ProviderSilent("what answers is no OpenID Connect provider") from error


def _json(session: Any, address: str, *, trusted: str | bool) -> dict[str, Any]:
    with _answered():
        answer = session.get(address, withhold_token=True, allow_redirects=False, verify=trusted)
        if answer.status_code != 200:
            raise ProviderSilent(f"{address} answers {answer.status_code}")
        found = answer.json()
    if not isinstance(found, dict):
        raise ProviderSilent(f"{address} answers no object")
    return found


def _is_safe(address: object) -> bool:
    if not isinstance(address, str):
        return False
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
