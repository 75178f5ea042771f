"""A made-up municipality from a seed: registry document, and its devices' passwords."""

import hashlib
import secrets
from datetime import UTC, datetime, time
from functools import cache
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.model.registry import (
    Device,
    Enrolment,
    Home,
    Person,
    RegistryDocument,
    Tenant,
    Unit,
    Window,
    Zone,
)
from gateway.model.vocabulary import DeviceKind
from simulators.chance import stream
from simulators.staff import ladders, rotations, staff, teams

KITS: tuple[tuple[str, ...], ...] = (
    ("lock", "gps_alarm", "door_contact"),
    ("lock", "medication_dispenser", "social_alarm"),
    ("lock", "camera", "bed_sensor"),
    ("lock", "medication_dispenser", "social_alarm"),
    ("gps_alarm", "camera", "medication_dispenser", "fall_detector"),
)
"""What the homes have, home by home, over and over; a home of the first kit has a night wanderer."""

WANDERER = frozenset({"night_wandering"})

NAMES = {
    "lock": "lock",
    "gps_alarm": "gps",
    "medication_dispenser": "disp",
    "camera": "cam",
    "social_alarm": "social",
    "fall_detector": "fall",
    "door_contact": "door",
    "bed_sensor": "bed",
}

HEARTBEAT_S = {
    "lock": 900,
    "gps_alarm": 300,
    "medication_dispenser": 600,
    "camera": 300,
    "social_alarm": 300,
    "fall_detector": 600,
    "door_contact": 3600,
    "bed_sensor": 1800,
}

DOSES = (("dose-1", 8, 0, 60), ("dose-2", 13, 0, 60), ("dose-3", 18, 35, 30), ("dose-4", 20, 30, 45))
LOOKS = (
    ("look-1", 18, 40, 15),
    ("look-2", 19, 45, 15),
    ("look-3", 21, 0, 15),
    ("look-4", 23, 0, 15),
    ("look-5", 2, 0, 15),
    ("look-6", 5, 0, 15),
)


class Municipality(msgspec.Struct, frozen=True):
    """The registry as a document, and every device's password in plain text for the simulators alone."""

    document: RegistryDocument
    passwords: dict[str, str]


def make_municipality(
    homes: int, seed: int, tenant: str = "demo", since: datetime | None = None
) -> Municipality:
    """Make so many homes, the same for the same seed except the passwords, which no seed may give away.

    One further device, `spare-001`, is known with a password and enrolled nowhere.
    """
    start = since or datetime(2026, 1, 1, tzinfo=UTC)
    found: dict[str, tuple[Any, ...]] = {
        "tenant": (Tenant(id=tenant, name="Provkommunen", failsafe=("alarm-centre",)),),
        "unit": (Unit(id="unit-north", tenant=tenant, name="Hemtjänst norr"),),
        "team": teams(),
        "ladder": ladders(tenant),
        "staff": staff(tenant),
        "rotation": rotations(),
        "home": tuple(_home(n, seed, tenant) for n in range(homes)),
        "person": tuple(_person(n) for n in range(homes)),
    }
    devices, enrolments = _devices(homes, tenant, start)
    passwords = {device.id: secrets.token_urlsafe(18) for device in devices}
    told = tuple(replace(device, secret=digest(passwords[device.id])) for device in devices)
    return Municipality(RegistryDocument(**found, device=told, enrolment=enrolments), passwords)


def digest(password: str) -> str:
    """Return the salted digest that the registry keeps: `blake2b$<salt>$<digest>`, both hexadecimal."""
    salt = secrets.token_bytes(hashlib.blake2b.SALT_SIZE)
    return f"blake2b${salt.hex()}${hashlib.blake2b(password.encode(), salt=salt, digest_size=32).hexdigest()}"


def _home(n: int, seed: int, tenant: str) -> Home:
    """A home on a made-up grid, a square for every 10,000; those with a GPS alarm have a zone."""
    rng = stream(seed, f"home-{n + 1:03d}", "place")
    square, place = divmod(n, 10_000)
    latitude, longitude = 59.0 + place // 100 * 0.02, 15.0 + square * 2 + place % 100 * 0.02
    zone = Zone(
        latitude=round(latitude + rng.uniform(0, 0.005), 5),
        longitude=round(longitude + rng.uniform(0, 0.005), 5),
        radius_m=rng.choice((300.0, 400.0, 500.0)),
    )
    return Home(
        id=f"home-{n + 1:03d}",
        tenant=tenant,
        unit="unit-north",
        care_ladder="care",
        technical_ladder="technical",
        zone=zone if "gps_alarm" in KITS[n % len(KITS)] else None,
    )


def _person(n: int) -> Person:
    name, home = f"person-{n + 1:03d}", f"home-{n + 1:03d}"
    return Person(ref=name, home=home, flags=WANDERER) if n % len(KITS) == 0 else Person(ref=name, home=home)


def _devices(homes: int, tenant: str, since: datetime) -> tuple[tuple[Device, ...], tuple[Enrolment, ...]]:
    devices: list[Device] = []
    enrolments: list[Enrolment] = []
    counts = dict.fromkeys(NAMES, 0)
    for n in range(homes):
        for kind in KITS[n % len(KITS)]:
            counts[kind] += 1
            device = _device(f"{tenant}/{NAMES[kind]}-{counts[kind]:03d}", tenant, kind)
            devices.append(device)
            enrolments.append(_enrolment(device.id, n, kind, since))
    devices.append(_device(f"{tenant}/spare-001", tenant, "medication_dispenser"))
    return tuple(devices), tuple(enrolments)


def _device(name: str, tenant: str, kind: str) -> Device:
    return Device(
        id=name,
        tenant=tenant,
        adapter="vaka",
        native_id=name,
        kind=DeviceKind(kind),
        model=f"simulated {NAMES[kind]}",
    )


def _enrolment(device: str, n: int, kind: str, since: datetime) -> Enrolment:
    return Enrolment(
        device=device,
        home=f"home-{n + 1:03d}",
        person=f"person-{n + 1:03d}",
        since=since,
        role="entrance_door" if kind in {"lock", "door_contact"} else "",
        heartbeat_s=float(HEARTBEAT_S[kind]),
        doses=_windows(DOSES) if kind == "medication_dispenser" else (),
        looks=_windows(LOOKS) if kind == "camera" else (),
    )


@cache
def _windows(rows: tuple[tuple[str, int, int, int], ...]) -> tuple[Window, ...]:
    return tuple(
        Window(ref=ref, at=time(hour, minute), minutes=float(length)) for ref, hour, minute, length in rows
    )
