"""A made-up municipality from a seed: registry document, and its devices' passwords."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from gateway.model.registry import (
    Device,
    Enrolment,
    Home,
    Person,
    RegistryDocument,
    Tenant,
    Window,
    Zone,
)
from gateway.model.vocabulary import DeviceKind
from simulators.chance import Chance, stream
from simulators.staff import ladders, own, rotations, staff, teams, unit_name, unit_of, units
from simulators.world.shape import Shape

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


WOMEN = 0.67
"""Assumed share of women among those who have home care or a social alarm."""


class Municipality(msgspec.Struct, frozen=True):
    """The registry as a document, and every device's password in plain text for the simulators alone."""

    document: RegistryDocument
    passwords: dict[str, str]


class Only(msgspec.Struct, frozen=True):
    """What a municipality has instead of the ordinary.

    One kit for all homes; the models of a kind, given to its devices in turn; seconds between the
    heartbeats of a kind.
    """

    kit: tuple[str, ...] = ()
    products: Mapping[str, Sequence[str]] = MappingProxyType({})
    heartbeats: Mapping[str, float] = MappingProxyType({})


ORDINARY = Only()


def make_municipality(
    homes: int,
    seed: int,
    tenant: str = "demo",
    since: datetime | None = None,
    *,
    shape: Shape | None = None,
    secret: bool = True,
    only: Only = ORDINARY,
) -> Municipality:
    """Make so many homes, the same for the same seed except the passwords, which no seed may give away.

    One further device, `spare-001`, is known with a password and enrolled nowhere. `shape` says what the
    homes have. Without `secret` there are no passwords: nobody can connect, and a large municipality is
    made sooner.
    """
    start = since or datetime(2026, 1, 1, tzinfo=UTC)
    kits = [only.kit or _kit(n, seed, shape) for n in range(homes)]
    found: dict[str, tuple[Any, ...]] = {
        "tenant": (Tenant(id=tenant, name="Provkommunen", failsafe=("alarm-centre",)),),
        "unit": units(tenant, homes),
        "team": teams(homes),
        "ladder": ladders(tenant, homes),
        "staff": staff(tenant, homes),
        "rotation": rotations(homes),
        "home": tuple(_home(n, seed, tenant, kits[n]) for n in range(homes)),
        "person": tuple(_person(n, seed, shape) for n in range(homes)),
    }
    devices, enrolments = _devices(kits, tenant, start, only.products)
    enrolments = _beating(devices, enrolments, only.heartbeats)
    passwords = {device.id: secrets.token_urlsafe(18) for device in devices} if secret else {}
    told = tuple(
        replace(device, secret=digest(passwords[device.id])) if secret else device for device in devices
    )
    return Municipality(RegistryDocument(**found, device=told, enrolment=enrolments), passwords)


def home_name(n: int) -> str:
    """Return the id of the home of that number, from 0."""
    return f"home-{n + 1:03d}"


def number_of(home: str) -> int:
    """Return the number, from 0, of the home of that id."""
    return int(home.rpartition("-")[2]) - 1


def _kit(n: int, seed: int, shape: Shape | None) -> tuple[str, ...]:
    return KITS[n % len(KITS)] if shape is None else shape.kit(seed, home_name(n))


def digest(password: str) -> str:
    """Return the salted digest that the registry keeps: `blake2b$<salt>$<digest>`, both hexadecimal."""
    salt = secrets.token_bytes(hashlib.blake2b.SALT_SIZE)
    return f"blake2b${salt.hex()}${hashlib.blake2b(password.encode(), salt=salt, digest_size=32).hexdigest()}"


def _home(n: int, seed: int, tenant: str, kit: tuple[str, ...]) -> Home:
    """A home on a made-up grid; those with a GPS alarm have a zone."""
    unit = unit_of(n)
    return Home(
        id=home_name(n),
        tenant=tenant,
        unit=unit_name(unit),
        care_ladder=own("care", unit),
        technical_ladder=own("technical", unit),
        zone=_zone(n, seed) if "gps_alarm" in kit else None,
    )


def _zone(n: int, seed: int) -> Zone:
    """Return a place on a made-up grid, a square for every 10,000 homes."""
    rng = stream(seed, home_name(n), "place")
    square, place = divmod(n, 10_000)
    latitude, longitude = 59.0 + place // 100 * 0.02, 15.0 + square * 2 + place % 100 * 0.02
    return Zone(
        latitude=round(latitude + rng.uniform(0, 0.005), 5),
        longitude=round(longitude + rng.uniform(0, 0.005), 5),
        radius_m=rng.choice((300.0, 400.0, 500.0)),
    )


def _person(n: int, seed: int, shape: Shape | None) -> Person:
    wanders = n % len(KITS) == 0 if shape is None else Chance(seed, home_name(n), "wanders").happens(0.12)
    flags = frozenset({"night_wandering"}) if wanders else frozenset[str]()
    sex: Literal["female", "male"] = "female" if Chance(seed, home_name(n), "sex").happens(WOMEN) else "male"
    return Person(ref=f"person-{n + 1:03d}", home=home_name(n), flags=flags, sex=sex)


def _devices(
    kits: Sequence[tuple[str, ...]], tenant: str, since: datetime, products: Mapping[str, Sequence[str]]
) -> tuple[tuple[Device, ...], tuple[Enrolment, ...]]:
    devices: list[Device] = []
    enrolments: list[Enrolment] = []
    counts = dict.fromkeys(NAMES, 0)
    for n, kit in enumerate(kits):
        for kind in kit:
            models = products.get(kind) or (f"simulated {NAMES[kind]}",)
            model = models[counts[kind] % len(models)]
            counts[kind] += 1
            device = _device(f"{tenant}/{NAMES[kind]}-{counts[kind]:03d}", tenant, kind, model)
            devices.append(device)
            enrolments.append(_enrolment(device.id, n, kind, since))
    spare = "medication_dispenser"
    devices.append(_device(f"{tenant}/spare-001", tenant, spare, f"simulated {NAMES[spare]}"))
    return tuple(devices), tuple(enrolments)


def _device(name: str, tenant: str, kind: str, model: str) -> Device:
    return Device(id=name, tenant=tenant, adapter="vaka", native_id=name, kind=DeviceKind(kind), model=model)


def _beating(
    devices: Sequence[Device], enrolments: tuple[Enrolment, ...], every_s: Mapping[str, float]
) -> tuple[Enrolment, ...]:
    """Return the enrolments with other times between the heartbeats of some kinds."""
    kinds = {device.id: device.kind.value for device in devices}
    return tuple(
        replace(one, heartbeat_s=float(every_s[kinds[one.device]])) if kinds[one.device] in every_s else one
        for one in enrolments
    )


def _enrolment(device: str, n: int, kind: str, since: datetime) -> Enrolment:
    return Enrolment(
        device=device,
        home=home_name(n),
        person=f"person-{n + 1:03d}",
        since=since,
        role="entrance_door" if kind in {"lock", "door_contact"} else "",
        heartbeat_s=float(HEARTBEAT_S[kind]),
        doses=DOSE_WINDOWS if kind == "medication_dispenser" else (),
        looks=LOOK_WINDOWS if kind == "camera" else (),
    )


@cache
def _windows(rows: tuple[tuple[str, int, int, int], ...]) -> tuple[Window, ...]:
    return tuple(
        Window(ref=ref, at=time(hour, minute), minutes=float(length)) for ref, hour, minute, length in rows
    )


DOSE_WINDOWS, LOOK_WINDOWS = _windows(DOSES), _windows(LOOKS)
