"""Synthetic: the made-up tenant whose alarm goes through the whole chain again and again, as a test."""

from datetime import UTC, datetime

from msgspec.structs import replace

from gateway.model.registry import Device, Enrolment, Home, Ladder, RegistryDocument, Step, Team, Tenant, Unit
from gateway.model.vocabulary import DeviceKind

SYNTHETIC = "vaka-synthetic"
"""Its id, and that of everything in it; staff never see its alerts."""
ADAPTER = "vaka"
"""What reads its device: the standard device interface."""
BUTTON = f"{SYNTHETIC}/button"
"""Its one device, by id and by the name it has in the standard device interface."""


def with_synthetic(document: RegistryDocument, secret: str) -> RegistryDocument:
    """Return the registry with the synthetic tenant in it; `secret` is the digest of its button's password.

    Nobody lives there, and its device is not supervised: whether it is heard is measured, not guessed.
    """
    name = SYNTHETIC
    step = Step(to=(name,))
    home = Home(id=name, tenant=name, unit=name, care_ladder=name, technical_ladder=name)
    device = Device(
        id=BUTTON, tenant=name, adapter=ADAPTER, native_id=BUTTON, kind=DeviceKind.SOCIAL_ALARM, secret=secret
    )
    since = datetime(2026, 1, 1, tzinfo=UTC)
    enrolment = Enrolment(device=BUTTON, home=name, since=since, supervised=False)
    return replace(
        document,
        tenant=(*document.tenant, Tenant(id=name, name=name)),
        unit=(*document.unit, Unit(id=name, tenant=name, name=name)),
        team=(*document.team, Team(id=name, unit=name, name=name)),
        ladder=(*document.ladder, Ladder(id=name, tenant=name, steps=(step,))),
        home=(*document.home, home),
        device=(*document.device, device),
        enrolment=(*document.enrolment, enrolment),
    )
