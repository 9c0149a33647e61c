"""The steps of `infusion-monitor influxdb setup`. Each says what it found or made, and none ever shows a token."""

from __future__ import annotations

import json
from pathlib import Path

from drivers.errors import ConfigError, SinkRefused
from monitor.cli import token_file
from monitor.sinks import influxdb_sync
from monitor.sinks.influxdb_setup import READ, WRITE, FoundBucket, MadeToken, Place, Server, refusal

_PURPOSES = {WRITE: "writing", READ: "reading"}


def set_up(place: Place, keeps: int, token: str, files: dict[str, Path], *, insecure: bool) -> None:
    """Make what is missing of the bucket and the tokens in `files`, try the tokens, and print the configuration."""
    with influxdb_sync.client(place.url, place.org, token, place.ca_file) as client:
        server = Server(place, client)
        if server.new:
            raise SinkRefused(
                f"InfluxDB at {place.url} is new, and nobody has set it up: say `--onboard --username NAME` to do so"
            )
        print(f"InfluxDB {server.version} at {place.url}")
        bucket = server.bucket(keeps)
        print(_about(place, bucket, keeps))
        for action, file in files.items():
            _see_to_token(place, server, bucket, action, file)
    print("\nThese lines of the station's configuration turn it on:\n")
    print(_configuration(place, files, insecure=insecure), end="")


def onboard(place: Place, keeps: int, username: str, password: str) -> str:
    """Set up a new server; the operator token, which is stored nowhere."""
    with influxdb_sync.client(place.url, place.org, "", place.ca_file) as client:
        server = Server(place, client)
        if not server.new:
            raise SinkRefused(f"InfluxDB at {place.url} is set up already: go on without --onboard, with a token of it")
        token = server.onboard(username, password, keeps)
    print(f"first user {username}, organisation {place.org}: made; sign in at {place.url} for further tokens")
    return token


def _about(place: Place, bucket: FoundBucket, keeps: int) -> str:
    if bucket.made:
        return f"bucket {place.bucket}: made; it keeps points {_duration(bucket.keeps)}"
    text = f"bucket {place.bucket}: is there; it keeps points {_duration(bucket.keeps)}"
    return text if bucket.keeps == keeps else f"{text}, not {_duration(keeps)} as asked for: left as it is"


def _see_to_token(place: Place, server: Server, bucket: FoundBucket, action: str, file: Path) -> None:
    name = f"token for {_PURPOSES[action]} {file}:"
    stored = token_file.read(file)
    if stored is not None:
        status = refusal(place, stored, action)
        if status is None:
            print(f"{name} works, and is left as it is")
            return
        if status != 401:
            raise SinkRefused(
                f"{file}: its token is for something else than {_PURPOSES[action]} the bucket {place.bucket}: name "
                f"another file with --{action}-token-to"
            )
    made: list[MadeToken] = []

    def make() -> str:
        made.append(server.make_token(bucket, action))
        return made[0].token

    try:
        aside = token_file.write(file, make)
    except ConfigError:
        if made:
            server.drop_token(made[0])
        raise
    status = refusal(place, made[0].token, action)
    if status is not None:
        raise SinkRefused(f"InfluxDB at {place.url} refuses the token that it has just made for {action} ({status})")
    was = "" if aside is None else f"; the server did not know the one that was there, which is now {aside}"
    print(f"{name} made, and works{was}")


def _configuration(place: Place, files: dict[str, Path], *, insecure: bool) -> str:
    lines = {
        "url": place.url,
        "org": place.org,
        "bucket": place.bucket,
        "token_file": str(files[WRITE]),
        "read_token_file": str(files[READ]),
    }
    if place.ca_file is not None:
        lines["ca_file"] = place.ca_file
    # Quoted as JSON, which YAML takes: a name may be a word like `on`, or have a colon in it.
    text = "".join(f"  {key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in lines.items())
    return f"influxdb:\n{text}" + ("  insecure: true\n" if insecure else "")


def _duration(seconds: int) -> str:
    if not seconds:
        return "for ever"
    if seconds % 86_400 == 0:
        return f"{seconds // 86_400} days"
    return f"{seconds / 3600:g} hours"
