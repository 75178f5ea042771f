"""The cases over Bluetooth; `CASES` in the order in which they are run, `DECLARED` the first and the last."""

from gateway.conformance.ble import commanding, events, linking, watching
from gateway.conformance.case import Case
from gateway.contract.clauses import Clause, clauses_of

CASES: tuple[Case, ...] = (*linking.CASES, *events.CASES, *commanding.CASES, *watching.CASES)
DECLARED: tuple[Case, Case] = (linking.FIRST, watching.LAST)


def held_to(version: str) -> tuple[Clause, ...]:
    """Return what a device is held to over Bluetooth: the clauses of GATT, and the general ones with a case.

    The general clauses without one (outages of a broker, grants, kinds) are held over MQTT alone.
    """
    tested = {name for case in CASES for name in case.clauses}
    return tuple(one for one in clauses_of(version, "ble") if one.over or one.id in tested)
