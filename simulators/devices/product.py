"""Products: what tells one maker's device from another's of the same kind; made up, every number assumed."""

from typing import ClassVar

import msgspec

from simulators.chance import Chance

REPEATS = "repeats_after_reconnect"
RETAINED = "retained_state_at_boot"
CLOCK_UNSET = "clock_unset_at_boot"
DOUBLE_PRESS = "doubled_presses"
SEQUENCE_RESTARTS = "sequence_restarts_at_boot"

QUIRKS: dict[str, str] = {
    REPEATS: "sends its last event again, with the same id, when the link comes back",
    RETAINED: "sends the state it had with the retain flag when it boots",
    CLOCK_UNSET: "tells the time since 2020-01-01 until the network has told it the real one",
    DOUBLE_PRESS: "tells of one press of the button in two events with ids of their own",
    SEQUENCE_RESTARTS: "counts its sequence from 1 again after a restart; ids stay its own",
}
"""Firmware faults that a share of the devices of a product has."""


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """What one product is like. `battery_days` 0 means mains; a share is of the devices, from 0 to 1.

    `fades_per_day` is how often a device with a weak link loses it without noticing, `reboots_per_year`
    and `jams_per_year` are of each device. `drift_ppm` is how fast the clock of an unsynced one goes wrong.
    """

    battery_days: float = 0
    weak: float = 0.05
    fades_per_day: float = 4
    unsynced: float = 0.03
    drift_ppm: float = 60
    reboots_per_year: float = 12
    hangs_per_year: float = 0.1
    jams_per_year: float = 0
    quirks: tuple[tuple[str, float], ...] = ()


class Traits(msgspec.Struct, frozen=True):
    """What one device turned out to be; `NEAT` has no weakness at all."""

    battery_days: float = 0
    weak: bool = False
    drift_ppm: float = 0
    quirks: frozenset[str] = frozenset()
    product: Product | None = None

    NEAT: ClassVar["Traits"]


Traits.NEAT = Traits()

_USUAL = ((REPEATS, 0.04), (RETAINED, 0.03), (CLOCK_UNSET, 0.03), (SEQUENCE_RESTARTS, 0.04))

BY_KIND: dict[str, Product] = {
    "lock": Product(battery_days=300, jams_per_year=0.5, quirks=_USUAL),
    "gps_alarm": Product(battery_days=3, weak=0.15, quirks=(*_USUAL, (DOUBLE_PRESS, 0.05))),
    "medication_dispenser": Product(jams_per_year=1.0, quirks=_USUAL),
    "camera": Product(reboots_per_year=26, quirks=_USUAL),
    "social_alarm": Product(weak=0.03, quirks=(*_USUAL, (DOUBLE_PRESS, 0.05))),
    "fall_detector": Product(battery_days=365, quirks=_USUAL),
    "door_contact": Product(battery_days=540, quirks=_USUAL),
    "bed_sensor": Product(battery_days=0, quirks=_USUAL),
}
"""What a device of a kind is like when its registry names no product that is known here."""

PRODUCTS: dict[str, Product] = {
    "northern lock": Product(battery_days=420, jams_per_year=0.2, weak=0.02),
    "coastal lock": Product(battery_days=180, jams_per_year=1.5, weak=0.12, quirks=_USUAL),
    "northern gps": Product(battery_days=4, weak=0.08, fades_per_day=3),
    "coastal gps": Product(battery_days=1.5, weak=0.3, fades_per_day=6, quirks=((DOUBLE_PRESS, 0.2),)),
    "northern dispenser": Product(jams_per_year=0.6, weak=0.02, hangs_per_year=0.05),
    "coastal dispenser": Product(jams_per_year=4.0, weak=0.1, hangs_per_year=0.8, quirks=_USUAL),
    "northern camera": Product(weak=0.03, reboots_per_year=6),
    "coastal camera": Product(weak=0.15, reboots_per_year=60, hangs_per_year=1.0, quirks=_USUAL),
}
"""Made-up products to compare with each other: the coastal ones are worse in every way."""


def traits_of(kind: str, model: str, chance: Chance) -> Traits:
    """Draw what one device of a product is like."""
    product = PRODUCTS.get(model) or BY_KIND[kind]
    weak = chance.happens(product.weak)
    drifts = chance.happens(product.unsynced)
    quirks = frozenset(name for name, share in product.quirks if chance.happens(share))
    drift = product.drift_ppm * chance.uniform(-1, 1) if drifts else 0.0
    return Traits(product.battery_days, weak, drift, quirks, product)
