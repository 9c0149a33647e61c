"""A bucket on an InfluxDB 2 and a token for each way of using it, for `infusion-monitor influxdb setup`."""

# The classes that the client generates from its server's description are not annotated.
# mypy: untyped-calls-exclude=influxdb_client
from __future__ import annotations

from typing import NamedTuple

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.authorization import Authorization
from influxdb_client.domain.bucket import Bucket
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules
from influxdb_client.domain.onboarding_request import OnboardingRequest
from influxdb_client.domain.permission import Permission
from influxdb_client.domain.permission_resource import PermissionResource
from influxdb_client.domain.post_bucket_request import PostBucketRequest
from influxdb_client.rest import ApiException
from influxdb_client.service.setup_service import SetupService
from influxdb_client.service.write_service import WriteService

from drivers.errors import SinkRefused
from monitor.sinks import influxdb_sync

WRITE, READ = "write", "read"
"""What a token may do with a bucket."""

_ANY = """from(bucket: bucket) |> range(start: -1s) |> filter(fn: (r) => r._measurement == "vitals") |> limit(n: 1)"""


class FoundBucket(NamedTuple):
    """A bucket as it is now."""

    id: str
    org_id: str
    made: bool
    """Whether it was not there before."""
    keeps: int
    """Seconds after which it drops a point; 0 if it never does."""


class MadeToken(NamedTuple):
    """A token that was just made: the server shows it this one time."""

    id: str
    token: str


class Place(NamedTuple):
    """Where records go."""

    url: str
    org: str
    bucket: str
    ca_file: str | None


class Server:
    """The server at a place, as one who may manage it.

    Raises SinkRefused (the token may not do that, there is no such organisation) and SinkBusy (no server answers).
    """

    def __init__(self, place: Place, client: InfluxDBClient) -> None:
        self._place = place
        self._client = client
        self._texts = {
            401: "the token is not known there, or may not do that (401): take an operator or an all-access token",
            403: "the token may not do that (403): take an operator or an all-access token",
            404: f"there is no organisation {place.org!r} (404), or the token is of another one",
        }

    @property
    def version(self) -> str:
        """What the server calls itself; empty if it does not say."""
        with influxdb_sync.errors(self._place.url):
            return self._client.version() or ""

    @property
    def new(self) -> bool:
        """Whether nobody has set it up yet: then it knows no token at all."""
        with influxdb_sync.errors(self._place.url):
            return bool(SetupService(self._client.api_client).get_setup().allowed)

    def onboard(self, username: str, password: str, keeps: int) -> str:
        """Make a new server's first user, organisation and bucket; its operator token."""
        order = OnboardingRequest(
            username=username,
            password=password,
            org=self._place.org,
            bucket=self._place.bucket,
            retention_period_seconds=keeps,
        )
        texts = {400: "it does not take that user name or password (400)", 422: "it was set up in the meantime (422)"}
        with influxdb_sync.errors(self._place.url, texts):
            token: str = SetupService(self._client.api_client).post_setup(onboarding_request=order).auth.token
        return token

    def bucket(self, keeps: int) -> FoundBucket:
        """The place's bucket, made with that retention if it is not there yet, and left as it is if it is."""
        with influxdb_sync.errors(self._place.url, self._texts):
            # A token that may not see the organisation is told that there are none.
            organisations = self._client.organizations_api().find_organizations(org=self._place.org)
            if not organisations:
                raise SinkRefused(f"InfluxDB at {self._place.url}: {self._texts[403]}")
            org_id = organisations[0].id
            found = self._find(org_id)
            if found is not None:
                return FoundBucket(found.id, org_id, made=False, keeps=_kept(found))
            rules = [BucketRetentionRules(every_seconds=keeps)] if keeps else []
            order = PostBucketRequest(org_id=org_id, name=self._place.bucket, retention_rules=rules)
            bucket = self._client.buckets_api().create_bucket(order)
        return FoundBucket(bucket.id, org_id, made=True, keeps=_kept(bucket))

    def _find(self, org_id: str) -> Bucket | None:
        try:
            buckets = self._client.buckets_api().find_buckets(org_id=org_id, name=self._place.bucket).buckets
        except ApiException as error:
            if error.status == 404:
                return None
            raise
        return next(iter(buckets), None)

    def make_token(self, bucket: FoundBucket, action: str) -> MadeToken:
        """A token that may do that one thing with that one bucket."""
        resource = PermissionResource(type="buckets", id=bucket.id, org_id=bucket.org_id)
        order = Authorization(
            org_id=bucket.org_id,
            permissions=[Permission(action=action, resource=resource)],
            description=f"infusion-monitor: {action} {self._place.bucket}",
        )
        with influxdb_sync.errors(self._place.url, self._texts):
            made = self._client.authorizations_api().create_authorization(authorization=order)
        return MadeToken(made.id, made.token)

    def drop_token(self, made: MadeToken) -> None:
        """Take back a token that could not be stored."""
        with influxdb_sync.errors(self._place.url, self._texts):
            self._client.authorizations_api().delete_authorization(made.id)


def refusal(place: Place, token: str, action: str, patience: float = influxdb_sync.PATIENCE) -> int | None:
    """The status with which a token is refused that for the place's bucket; None if it is not. Writes no point.

    401 is for a token that the server does not know at all. Raises SinkBusy, and SinkRefused for any other answer.
    """
    with (
        influxdb_sync.client(place.url, place.org, token, place.ca_file, patience=patience) as client,
        influxdb_sync.errors(place.url, patience=patience),
    ):
        try:
            if action == WRITE:
                # Who may write is looked at before the lines, of which an empty one is none.
                WriteService(client.api_client).post_write(org=place.org, bucket=place.bucket, body="\n")
            else:
                client.query_api().query_raw(_ANY, params={"bucket": place.bucket}).read()
        except ApiException as error:
            if error.status in {401, 403, 404}:
                return int(error.status)
            raise
    return None


def _kept(bucket: Bucket) -> int:
    return next((rule.every_seconds for rule in bucket.retention_rules or ()), 0)
