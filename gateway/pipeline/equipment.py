"""The equipment that the single writer keeps beside the registry, as small records by kind and device."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from gateway.model.equipment import OPEN, Charge, Order, Twin

COMMAND, TWIN, CHARGES = "command", "twin", "charges"
KEPT_ORDERS = 50
"""Commands of one device that are kept at hand; older ones stand in the journal."""
KEPT_CHARGES = 90
CHARGE_EVERY = timedelta(hours=6)
"""Charges are noted no more often: the forecast is about weeks."""
NO_CHARGES: tuple[Charge, ...] = ()
Put = Callable[[str, bytes | None], None]
_charges = msgspec.json.Decoder(tuple[Charge, ...])


class Equipment:
    """Commands, desired configurations and charges heard. Changed by the single writer only.

    Every change is handed to `put` as a record, by its key, so that it is committed with the rest.
    """

    def __init__(self, records: Mapping[str, bytes], put: Put) -> None:
        self._put = put
        self.orders: dict[str, Order] = {}
        self.twins: dict[str, Twin] = {}
        self.charges: dict[str, tuple[Charge, ...]] = {}
        self._orders_of: dict[str, dict[str, Order]] = {}
        for key, body in records.items():
            self.take(key, body)

    def take(self, key: str, body: bytes | None) -> None:
        """Take up one record as it was kept; None forgets it. Records of others are left alone."""
        kind, _, name = key.partition("\0")
        if kind == COMMAND:
            self._take_order(name, body)
        elif kind == TWIN:
            _take(self.twins, name, msgspec.json.decode(body, type=Twin) if body else None)
        elif kind == CHARGES:
            _take(self.charges, name, _charges.decode(body) if body else None)

    def orders_of(self, device: str) -> list[Order]:
        """Return the commands of a device, the newest first."""
        found = self._orders_of.get(device, {}).values()
        return sorted(found, key=lambda one: (one.requested_at, one.id), reverse=True)

    def open_orders(self, device: str) -> list[Order]:
        """Return the commands of a device that may still be carried out."""
        return [one for one in self.orders_of(device) if one.state in OPEN]

    def keep_order(self, order: Order) -> None:
        """Keep a command's new value; the oldest finished ones of its device give way."""
        self._keep(COMMAND, order.id, order)
        old = [one for one in self.orders_of(order.device) if one.state not in OPEN][KEPT_ORDERS:]
        for one in old:
            self._keep(COMMAND, one.id, None)

    def keep_twin(self, twin: Twin) -> None:
        """Keep a desired or reported configuration."""
        self._keep(TWIN, twin.device, twin)

    def charged(self, device: str, at: datetime, percent: float) -> None:
        """Note a charge, unless one was noted shortly before; what is older than the newest says nothing."""
        known = self.charges.get(device, NO_CHARGES)
        if known and at - known[-1].at < CHARGE_EVERY:
            return
        self._keep(CHARGES, device, (*known, Charge(at, percent))[-KEPT_CHARGES:])

    def _keep(self, kind: str, name: str, value: Any) -> None:
        body = None if value is None else msgspec.json.encode(value)
        key = f"{kind}\0{name}"
        self.take(key, body)
        self._put(key, body)

    def _take_order(self, name: str, body: bytes | None) -> None:
        old = self.orders.pop(name, None)
        if old is not None:
            self._orders_of[old.device].pop(name, None)
        if body is not None:
            order = msgspec.json.decode(body, type=Order)
            self.orders[name] = order
            self._orders_of.setdefault(order.device, {})[name] = order


def _take(known: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        known.pop(name, None)
    else:
        known[name] = value
