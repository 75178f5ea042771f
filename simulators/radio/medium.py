"""The air between virtual controllers: who hears whom, how strongly, how late, and when a link breaks."""

import asyncio
import math
import random
from collections.abc import Iterator
from functools import partial

from bumble import hci, ll
from bumble.controller import Connection, Controller
from bumble.core import PhysicalTransport
from bumble.link import LocalLink
from msgspec.structs import replace

from simulators.radio.conditions import Conditions
from simulators.radio.direction import Call, Direction

Place = tuple[float, float]
Ends = tuple[hci.Address, hci.Address]
"""One direction of a link: from, to."""

ORIGIN: Place = (0.0, 0.0)
LOST = hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
NEVER_BEGAN = hci.HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR
ESTABLISH_INTERVALS = 6
"""So many connection intervals without an answer end a new link (Core 5.4, Vol 6, Part B, 4.5.2)."""


class Medium(LocalLink):
    """Bumble's link with an index, distance, loss, supervision and chance; timers of the running loop only.

    Everything that is not placed stands one metre from the origin's antenna. Orders are kept in dictionaries,
    so that the same seed gives the same run.
    """

    def __init__(self, conditions: Conditions | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # bumble leaves it unannotated
        self.conditions = conditions or Conditions()
        self.chance = random.Random(self.conditions.seed)  # noqa: S311 - a simulation, repeatable on purpose
        self.advertisements = 0
        self.packets = 0
        self._index: dict[hci.Address, Controller] = {}
        self._listening: dict[Controller, None] = {}
        self._places: dict[hci.Address, Place] = {}
        self._away: dict[hci.Address, None] = {}
        self._directions: dict[Ends, Direction] = {}
        self._supervised: dict[Ends, asyncio.TimerHandle] = {}

    # -- who is there

    def add_controller(self, controller: Controller) -> None:
        """A controller joins, known by its public address until it has a random one."""
        super().add_controller(controller)
        self._index[controller.public_address] = controller

    def remove_controller(self, controller: Controller) -> None:
        """A controller loses its power: its links break after the supervision timeout."""
        super().remove_controller(controller)
        self._listening.pop(controller, None)
        self._index = {a: c for a, c in self._index.items() if c is not controller}
        for connection in list(controller.le_connections.values()):
            self._supervise(connection)
        controller.le_connections.clear()

    def on_address_changed(self, controller: Controller) -> None:
        """Bumble says that a controller has another random address."""
        self.know(controller.random_address, controller)

    def know(self, address: hci.Address, controller: Controller) -> None:
        """That address is this controller's too."""
        self._index[address] = controller

    def find_le_controller(self, address: hci.Address) -> Controller | None:
        """Return whose address that is."""
        return self._index.get(address)

    def listening(self, controller: Controller, *, on: bool) -> None:
        """A controller scans or initiates, or has stopped."""
        if on:
            self._listening[controller] = None
        else:
            self._listening.pop(controller, None)

    # -- where they are, and what the air is like

    def change(self, **values: float) -> None:
        """Let the air change: names and units are those of Conditions."""
        self.conditions = replace(self.conditions, **values)
        self._links_moved()

    def place(self, address: hci.Address, place: Place) -> None:
        """Put something on the map, metres."""
        self._places[address] = place
        self._links_moved(address)

    def set_range(self, address: hci.Address, *, present: bool) -> None:
        """Take something out of everybody's range, or bring it back, wherever it is placed."""
        if present:
            self._away.pop(address, None)
        else:
            self._away[address] = None
        self._links_moved(address)

    def rssi(self, a: hci.Address, b: hci.Address) -> int:
        """Return how strongly they hear each other, dBm."""
        one, other = self._places.get(a), self._places.get(b)
        metres = 1.0 if one is None and other is None else math.dist(one or ORIGIN, other or ORIGIN)
        return self.conditions.rssi(metres)

    def reaches(self, a: hci.Address, b: hci.Address) -> bool:
        """Whether they are in range of each other."""
        if a in self._away or b in self._away:
            return False
        return not self._places or self.rssi(a, b) >= self.conditions.sensitivity_dbm

    # -- what is sent

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        """Data of a link; it waits while the ends are out of range, and goes down with the link."""
        connection = sender_controller.le_connections.get(destination_address)
        if transport != PhysicalTransport.LE or connection is None:
            return
        self.packets += 1
        source = connection.self_address
        self._send(
            (source, destination_address), lambda to: to.on_link_acl_data(source, PhysicalTransport.LE, data)
        )

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        """A control packet of a link, in its turn among the data."""
        self._send(
            (sender_address, receiver_address), lambda to: to.on_ll_control_pdu(sender_address, packet)
        )

    def _send(self, ends: Ends, give: Call) -> None:
        direction = self._directions.get(ends)
        if direction is None:
            direction = self._directions[ends] = Direction(self, *ends)
        direction.send(give)

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        """An advertisement reaches those who listen and are near; a connection request its one target."""
        if isinstance(packet, ll.ConnectInd):
            self._begin(sender_controller, packet)
        elif isinstance(packet, ll.AdvInd | ll.AdvExtInd):
            self.advertisements += 1
            for controller in list(self._listening):
                if controller is not sender_controller and self._heard(packet.advertiser_address, controller):
                    self.later(partial(controller.on_ll_advertising_pdu, packet))

    def _heard(self, address: hci.Address, by: Controller) -> bool:
        pending = by.pending_le_connection
        if not by.le_scan_enable and not (pending and pending.peer_address == address):
            return False
        return self.reaches(address, by.random_address) and not self.loses()

    def loses(self) -> bool:
        """Throw the dice for one packet on the air."""
        return self.conditions.loss > 0 and self.chance.random() < self.conditions.loss

    def delay_s(self) -> float:
        """Return how long the next packet takes, without what is sent again."""
        jitter = self.conditions.jitter_s
        return self.conditions.latency_s + (self.chance.uniform(0, jitter) if jitter else 0.0)

    def later(self, call: partial[None]) -> None:
        """Do that when a packet sent now would arrive."""
        loop = asyncio.get_running_loop()
        delay_s = self.delay_s()
        if delay_s:
            loop.call_later(delay_s, call)
        else:
            loop.call_soon(call)

    def advertise_now(self, address: hci.Address) -> None:
        """Let an advertiser be heard at once, for an initiator that shall not wait for its interval."""
        advertiser = self._index.get(address)
        for one in advertiser.advertising_sets.values() if advertiser else ():
            if one.enabled and one.address == address:
                one.send_extended_advertising_data()

    # -- how a link begins and ends

    def _begin(self, initiator: Controller, packet: ll.ConnectInd) -> None:
        ends = (packet.initiator_address, packet.advertiser_address)
        for way in (ends, ends[::-1]):
            self._directions.pop(way, None)
        loop = asyncio.get_running_loop()
        if self.reaches(*ends):
            self._send(ends, lambda target: target.on_ll_advertising_pdu(packet))
        wait_s = self.conditions.supervision_timeout_s
        if not self.conditions.loss + self.conditions.latency_s + self.conditions.jitter_s:
            wait_s = ESTABLISH_INTERVALS * self.conditions.connection_interval_s
        loop.call_later(wait_s, self._see_it_began, initiator, initiator.le_connections[ends[1]])
        if self.conditions.drops_per_hour:
            after_s = self.chance.expovariate(self.conditions.drops_per_hour / 3600)
            connection = initiator.le_connections[packet.advertiser_address]
            loop.call_later(after_s, self._drop_at_random, initiator, connection)

    def _see_it_began(self, initiator: Controller, connection: Connection) -> None:
        """End the initiator's side of a link that the other side never entered."""
        target = self._index.get(connection.peer_address)
        if target is None or connection.self_address not in target.le_connections:
            initiator.on_le_disconnected(connection, NEVER_BEGAN)

    def _drop_at_random(self, controller: Controller, connection: Connection) -> None:
        if controller.le_connections.get(connection.peer_address) is connection:
            self.drop((connection.self_address, connection.peer_address))

    def drop(self, ends: Ends) -> None:
        """End a link as a lost one, on both sides, now; what was under way is gone."""
        for near, far in (ends, ends[::-1]):
            direction = self._directions.pop((near, far), None)
            if direction is not None:
                direction.stop()
            controller = self._index.get(near)
            connection = controller.le_connections.get(far) if controller else None
            if controller is not None and connection is not None:
                controller.on_le_disconnected(connection, LOST)

    def connections(self) -> Iterator[Connection]:
        """Return each side of each link, always in the same order."""
        for controller in dict.fromkeys(self._index.values()):  # Bumble's own set has none
            yield from controller.le_connections.values()

    def _links_moved(self, address: hci.Address | None = None) -> None:
        """See which links are broken or whole again after somebody moved."""
        owner = self._index.get(address) if address else None
        near = owner.le_connections.values() if owner else self.connections()
        for connection in list(near):
            ends = _sorted(connection.self_address, connection.peer_address)
            if not self._whole(ends):
                self._supervise(connection)
                continue
            timer = self._supervised.pop(ends, None)
            if timer:
                timer.cancel()
            for way in (ends, ends[::-1]):
                if way in self._directions:
                    self._directions[way].go_on()

    def _whole(self, ends: Ends) -> bool:
        """Whether both ends hold the link and hear each other; one that lost its power holds none."""
        near, far = (self._index.get(one) for one in ends)
        held = near and far and ends[1] in near.le_connections and ends[0] in far.le_connections
        return bool(held) and self.reaches(*ends)

    def _supervise(self, connection: Connection) -> None:
        ends = _sorted(connection.self_address, connection.peer_address)
        if ends not in self._supervised:
            loop = asyncio.get_running_loop()
            self._supervised[ends] = loop.call_later(
                self.conditions.supervision_timeout_s, self._expire, ends
            )

    def _expire(self, ends: Ends) -> None:
        self._supervised.pop(ends, None)
        if not self._whole(ends):
            self.drop(ends)


def _sorted(a: hci.Address, b: hci.Address) -> Ends:
    return (a, b) if bytes(a) <= bytes(b) else (b, a)
