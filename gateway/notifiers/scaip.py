"""SCAIP: an alert in codes alone to an alarm-receiving centre, the second one where the first is silent."""

import asyncio
import logging
import re
from collections import OrderedDict
from hashlib import blake2b

from gateway.channel_settings import ScaipSettings
from gateway.contract import ChannelFault
from gateway.contract.messenger import Centre, Messenger
from gateway.model.alert import Alert, AlertType, Severity
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.frame import Frame, Transport
from gateway.model.synthetic import SYNTHETIC
from gateway.model.vocabulary import DeviceKind
from gateway.service.means import Means

log = logging.getLogger(__name__)

SIP_WITHIN_S = 5.0
"""So long a centre may take to acknowledge the SIP request, before the next one is tried."""
MAX_REPLY_BYTES = 4096
"""A longer body is no reply; anybody may send one, so it is looked at without going back in it."""
MAX_ASKED = 1024
"""References that are known as ours when a centre answers them late."""
_ROOT = re.compile(rb"<mrs[\s>]")
_REF = re.compile(rb"<ref>\s*([0-9A-Za-z]{1,16})\s*</ref>")
_STATUS = re.compile(rb"<snu>\s*(\d{1,2})\s*</snu>")
MEANINGS = {
    "1": "the message is too long", "2": "invalid format", "3": "wrong data content", "4": "hold",
    "5": "not treated", "6": "busy", "7": "a mandatory tag is missing",
}  # fmt: skip
DEVICE_TYPES = {
    DeviceKind.SOCIAL_ALARM: "0003", DeviceKind.FALL_DETECTOR: "0005", DeviceKind.DISPENSER: "0011",
    DeviceKind.BED_SENSOR: "0012", DeviceKind.DOOR_CONTACT: "0014", DeviceKind.MOTION_SENSOR: "0010",
    DeviceKind.ENURESIS_DETECTOR: "0016", DeviceKind.SMOKE_DETECTOR: "0023", DeviceKind.LEAK_DETECTOR: "0033",
    DeviceKind.LOCK: "0043", DeviceKind.GPS_ALARM: "0051",
}  # fmt: skip
"""`dty` of the device that the alert is about; any other is the local unit and controller, 0002."""
PRESSED = frozenset({DeviceKind.SOCIAL_ALARM, DeviceKind.GPS_ALARM})
"""Kinds with a button: a High alert of theirs is a manual alarm."""


class ScaipNotifier:
    """Sends one `mrq` a ring, and waits for the `mrs` with its ref; the same ref however often it is sent."""

    channel = "scaip"

    def __init__(self, means: Means, settings: ScaipSettings, messenger: Messenger) -> None:
        self._means, self._settings, self._messenger = means, settings, messenger
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._asked: OrderedDict[str, None] = OrderedDict()
        messenger.on_answer(self._heard)
        self.within_s = (SIP_WITHIN_S + settings.reply_within_s) * len(settings.centre) + 1
        """How long one delivery may take: every centre in turn."""

    async def deliver(self, delivery: Delivery, alert: Alert) -> str:
        """Send to the first centre that takes it; ChannelFault when none of them answers."""
        if alert.tenant == SYNTHETIC:
            return "the synthetic alarm stays in the house"
        if delivery.recipient not in self._settings.recipients:
            return "not an alarm centre"
        ref = ref_of(alert, delivery)
        body = self._request(alert, ref)
        faults = []
        for number, centre in enumerate(self._settings.centre, 1):
            secret = centre.password.get_secret_value() if centre.password else ""
            target = Centre(centre.uri, self._cid(alert), centre.username or "", secret, str(centre.ca or ""))
            try:
                status = await self._ask(target, ref, body)
            except ChannelFault as fault:
                faults.append(f"centre {number}: {fault}")
                continue
            if status == "0":
                self._delivered(delivery)
                return ""
            faults.append(f"centre {number}: reply {status}, {MEANINGS.get(status, 'undefined')}")
        raise ChannelFault("; ".join(faults))

    async def close(self) -> None:
        """Give up what waits; the sockets are the endpoint's."""
        for waiting in self._waiting.values():
            waiting.cancel()

    async def _ask(self, centre: Centre, ref: str, body: bytes) -> str:
        """Return the status number of the reply, by a message of its own or inside the 200."""
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[ref] = waiting
        self._note(ref)
        try:
            self._heard(await self._messenger.message(centre, body, SIP_WITHIN_S))
            async with asyncio.timeout(self._settings.reply_within_s):
                return await waiting
        except TimeoutError as error:
            raise ChannelFault(f"no reply within {self._settings.reply_within_s:.0f} s") from error
        finally:
            self._waiting.pop(ref, None)

    def _heard(self, body: bytes, _peer: tuple[str, int] = ("", 0)) -> bool:
        """Tell whether a message answers one of ours, also one that we no longer wait for."""
        ref, status = reply_in(body)
        waiting = self._waiting.get(ref)
        if waiting is not None and not waiting.done():
            waiting.set_result(status)
        elif ref in self._asked:
            log.warning("an alarm centre answered late: %s", MEANINGS.get(status, "taken"))
        return ref in self._asked

    def _note(self, ref: str) -> None:
        """Keep a reference as ours, for answers that come late."""
        self._asked[ref] = None
        self._asked.move_to_end(ref)
        while len(self._asked) > MAX_ASKED:
            self._asked.popitem(last=False)

    def _delivered(self, delivery: Delivery) -> None:
        channel = f"delivery/{DeliveryState.DELIVERED}/{delivery.id}"
        self._means.intake.offer(Frame(Transport.RECEIPT, channel, b"", self._means.clock.now(), "scaip"))

    def _cid(self, alert: Alert) -> str:
        return self._settings.units.get(alert.home, self._settings.cid)

    def _request(self, alert: Alert, ref: str) -> bytes:
        device = self._means.board.device(alert.device) if alert.device else None
        kind = device.kind if device else None
        dty = DEVICE_TYPES.get(kind, "0002") if kind else "0002"
        return (
            f"<mrq><ref>{ref}</ref><ver>01.00</ver><mty>ME</mty><cid>{self._cid(alert)}</cid>"
            f"<dty>{dty}</dty><crd>no-voice:</crd><stc>{status_of(alert, kind)}</stc></mrq>"
        ).encode()


def reply_in(body: bytes) -> tuple[str, str]:
    """Return reference and status number of an `mrs`, both "" where it is none."""
    root = _ROOT.search(body) if len(body) <= MAX_REPLY_BYTES else None
    if root is None:
        return "", ""
    ref, status = _REF.search(body, root.end()), _STATUS.search(body, root.end())
    return (ref[1].decode(), str(int(status[1]))) if ref and status else ("", "")


def status_of(alert: Alert, kind: DeviceKind | None) -> str:
    """Return the `stc`: manual or automatic alarm, malfunction, or a log entry."""
    if alert.type is AlertType.TECHNICAL:
        return "0067"
    if alert.type is AlertType.ADVISORY:
        return "0062"
    return "0010" if kind in PRESSED and alert.severity is Severity.HIGH else "0009"


def ref_of(alert: Alert, delivery: Delivery) -> str:
    """Return the reference of a ring: the same for every attempt and every centre."""
    return blake2b(f"{alert.id}\0{delivery.round}\0{delivery.recipient}".encode(), digest_size=8).hexdigest()


def make(means: Means) -> ScaipNotifier | None:
    """Make the channel if a centre is configured."""
    settings = means.settings.scaip
    return ScaipNotifier(means, settings, means.messenger) if settings and means.messenger else None
