"""A FHIR client library that knows nothing of us (fhirpy, unmodified) walks a real gateway process."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fhirpy import AsyncFHIRClient, SyncFHIRClient
from fhirpy.base.exceptions import AuthorizationError, OperationOutcome, ResourceNotFound

from gateway.api.passwords import token_hash
from tests.browser.whole_house import registry_file
from tests.integration.gateway_process import GatewayProcess

READER, SENDER = "reader-of-fhir", "sender-of-frames"
EVENTS = 120


def send(sender: httpx.Client, device: str, word: str, number: int, **data: object) -> None:
    event = {
        "specversion": "1.0",
        "id": f"{device}-{number}",
        "source": f"vaka:{device}",
        "type": f"vaka.{word}.v1",
        "time": datetime.now(UTC).isoformat(),
        "clockquality": "synced",
        "data": data,
    }
    sender.post(f"/in/vaka/1/{device}/event", json=event).raise_for_status()


def token(name: str, secret: str, rights: str, more: str = "") -> str:
    scopes = ", ".join(f'"{right}"' for right in rights.split())
    return (
        f'[[api.token]]\nname = "{name}"\ntoken_hash = "{token_hash(secret)}"\nscopes = [{scopes}]\n{more}\n'
    )


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder: Path = tmp_path_factory.mktemp("client")
    found = GatewayProcess(folder, registry=str(registry_file(folder)), watch={"round_trip": False})
    with (folder / "vaka.toml").open("a") as file:
        file.write(token("reader", READER, "fhir:read fhir:subscribe", 'tenants = ["t"]'))
        file.write(token("sender", SENDER, "frames:write"))
    found.start()
    try:
        bearer = {"Authorization": f"Bearer {SENDER}"}
        address = f"http://127.0.0.1:{found.page_port}"
        with httpx.Client(base_url=address, headers=bearer, timeout=30, trust_env=False) as sender:
            for number in range(EVENTS):
                place = {"latitude": 65.5, "longitude": 22.1, "accuracy_m": 5}
                send(sender, "t/gps-1", "position.update", number, **place)
            send(sender, "t/sos-1", "alarm.manual", 1, presses=1)
        client = sync(found)
        until = time.monotonic() + 60
        while not client.resources("Observation").search(code="alarm.manual").fetch_all():
            assert time.monotonic() < until, found.log()
            time.sleep(0.05)
        yield found
    finally:
        found.stop()


def base(gateway: GatewayProcess) -> str:
    return f"http://127.0.0.1:{gateway.page_port}/fhir"


def sync(gateway: GatewayProcess) -> SyncFHIRClient:
    return SyncFHIRClient(base(gateway), authorization=f"Bearer {READER}")


def test_it_reads_what_the_server_can_do(gateway: GatewayProcess) -> None:
    told = sync(gateway).execute("metadata", method="get")
    assert (told["resourceType"], told["fhirVersion"]) == ("CapabilityStatement", "4.0.1")


def test_it_follows_the_pages_to_the_end(gateway: GatewayProcess) -> None:
    asked = sync(gateway).resources("Observation").search(code="position.update").limit(25)
    assert len(asked.fetch()) == 25
    found = asked.fetch_all()
    assert len({one.id for one in found}) == len(found) == EVENTS
    assert sum(1 for _ in asked) == EVENTS


def test_it_reads_one_and_resolves_its_references(gateway: GatewayProcess) -> None:
    client = sync(gateway)
    (observation,) = client.resources("Observation").search(code="alarm.manual").fetch()
    again = client.reference("Observation", observation.id).to_resource()
    assert dict(again) == dict(observation)
    device = observation.device.to_resource()
    assert device.identifier[0].value == "t/sos-1"
    assert observation.subject.to_resource().resource_type == "Patient"


def test_it_includes_what_a_search_refers_to(gateway: GatewayProcess) -> None:
    asked = sync(gateway).resources("Observation").search(code="alarm.manual")
    bundle = asked.include("Observation", "device").include("Observation", "patient").fetch_raw()
    assert sorted(one.resource.resource_type for one in bundle.entry) == ["Device", "Observation", "Patient"]


def test_it_understands_our_refusals(gateway: GatewayProcess) -> None:
    client = sync(gateway)
    with pytest.raises(ResourceNotFound):
        client.get("Patient", "nobody")
    with pytest.raises(OperationOutcome):
        client.resources("Observation").search(date="yesterday").fetch()
    with pytest.raises(AuthorizationError):
        SyncFHIRClient(base(gateway), authorization="Bearer nobody").resources("Patient").fetch()


def test_its_asynchronous_side_walks_every_type_that_is_told(gateway: GatewayProcess) -> None:
    async def walk() -> dict[str, int]:
        client = AsyncFHIRClient(base(gateway), authorization=f"Bearer {READER}")
        told = await client.execute("metadata", method="get")
        kinds = [one["type"] for one in told["rest"][0]["resource"]]
        return {kind: len(await client.resources(kind).fetch_all()) for kind in kinds}

    found = asyncio.run(walk())
    assert found["Observation"] == EVENTS + 1
    assert found["Patient"] == 3
    assert found["DetectedIssue"] == found["Task"] == 1
    assert found["Communication"] >= 1
