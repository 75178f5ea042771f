"""Alerts to alarm-receiving centres: our own receiver plays the centre, over real sockets."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trustme
from honest_intake import HonestIntake
from sip_unit import in_loop

from adapters.scaip import ADAPTER
from gateway.channel_settings import ScaipSettings
from gateway.contract import ChannelFault
from gateway.contract.messenger import Centre
from gateway.model.alert import Alert, AlertType, Severity
from gateway.model.delivery import Delivery
from gateway.model.registry import Device, Registry, RegistryDocument
from gateway.model.synthetic import SYNTHETIC
from gateway.model.vocabulary import DeviceKind
from gateway.notifiers import scaip
from gateway.notifiers.scaip import ScaipNotifier
from gateway.service.clock import SystemClock
from gateway.service.means import Means
from gateway.sip import make_sip
from gateway.sip_settings import SipSettings
from gateway.transports.sip import SipEndpoint
from tests.integration.mosquitto import free_port

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ALERT = Alert(
    id="a1", rule="sos", subject="pendant-1", severity=Severity.HIGH, type=AlertType.PERSON, text="sos",
    reason="", tenant="t", home="home-1", device="pendant-1", frame=1, occurred_at=NOW, raised_at=NOW,
    ladder="care", deadline=NOW, accept_within_s=60,
)  # fmt: skip
DELIVERY = Delivery(
    id="d1", alert="a1", recipient="centre", channel="scaip", step=0, round=1, queued_at=NOW, deadline=NOW
)
PENDANT = Device(
    id="pendant-1", tenant="t", adapter="vaka", native_id="t/pendant-1", kind=DeviceKind.SOCIAL_ALARM
)


@asynccontextmanager
async def endpoint(intake: HonestIntake | None = None, **keys: Any) -> AsyncIterator[SipEndpoint]:
    settings = SipSettings.model_validate({"enabled": True, "udp_port": 0, "tcp_port": 0} | keys)
    intake = intake or HonestIntake()
    made = make_sip(settings, [ADAPTER], lambda: Registry(RegistryDocument()), intake, SystemClock())
    assert made is not None
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def channel(own: SipEndpoint, *centres: dict[str, Any], **keys: Any) -> tuple[ScaipNotifier, HonestIntake]:
    settings = ScaipSettings.model_validate(
        {"centre": list(centres), "recipients": ["centre"], "cid": "4711", "reply_within_s": 30} | keys
    )
    receipts = HonestIntake()
    board = SimpleNamespace(device={"pendant-1": PENDANT}.get)
    means = SimpleNamespace(board=board, intake=receipts, clock=SystemClock())
    return ScaipNotifier(cast(Means, means), settings, own), receipts


def at(centre: SipEndpoint, way: str = "udp") -> dict[str, Any]:
    more = ";transport=tcp" if way == "tcp" else ""
    return {"uri": f"sip:arc@127.0.0.1:{centre.ports[way]}{more}"}


@pytest.mark.parametrize("way", ["udp", "tcp"])
@in_loop
async def test_a_centre_gets_the_alert_in_codes_and_its_reply_proves_delivery(way: str) -> None:
    at_centre = HonestIntake()
    async with endpoint() as own, endpoint(at_centre) as centre:
        notifier, receipts = channel(own, at(centre, way), units={"home-1": "26317"})
        assert await notifier.deliver(DELIVERY, ALERT) == ""
    [payload] = at_centre.payloads
    assert re.sub(rb"<ref>[0-9a-f]{16}</ref>", b"<ref/>", payload) == (
        b"<mrq><ref/><ver>01.00</ver><mty>ME</mty><cid>26317</cid><dty>0003</dty><crd>no-voice:</crd>"
        b"<stc>0010</stc></mrq>"
    )
    assert [frame.channel for frame in receipts.durable] == ["delivery/delivered/d1"]


@in_loop
async def test_a_centre_may_reply_inside_the_200() -> None:
    async with endpoint() as own, endpoint(peer=[{"network": "127.0.0.1"}]) as centre:
        assert await channel(own, at(centre))[0].deliver(DELIVERY, ALERT) == ""


@in_loop
async def test_the_second_centre_is_told_where_the_first_is_out_of_reach_or_silent() -> None:
    gone = {"uri": f"sip:arc@127.0.0.1:{free_port()};transport=tcp"}
    silent_intake, second_intake = HonestIntake(by_itself=False), HonestIntake()
    async with endpoint() as own, endpoint(silent_intake) as silent, endpoint(second_intake) as second:
        notifier, _ = channel(own, gone, at(silent), at(second), reply_within_s=1)
        assert await notifier.deliver(DELIVERY, ALERT) == ""
        assert [frame.payload for frame, _, _ in silent_intake.waiting] == second_intake.payloads


@in_loop
async def test_a_centre_that_hangs_up_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaip, "SIP_WITHIN_S", 600)

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"</mrq>")
        writer.close()

    rude = await asyncio.start_server(hang_up, "127.0.0.1")
    first = {"uri": f"sip:arc@127.0.0.1:{rude.sockets[0].getsockname()[1]};transport=tcp"}
    at_centre = HonestIntake()
    async with endpoint() as own, endpoint(at_centre) as second, asyncio.timeout(20):
        assert await channel(own, first, at(second))[0].deliver(DELIVERY, ALERT) == ""
    rude.close()
    assert len(at_centre.payloads) == 1


@in_loop
async def test_no_alert_goes_by_a_connection_whose_certificate_nobody_judged(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    tls = {"certificate": tmp_path / "server.pem", "key": tmp_path / "server.key"}
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(tls["certificate"])
    issued.private_key_pem.write_to_path(tls["key"])
    for name, one in (("right", authority), ("wrong", stranger)):
        one.cert_pem.write_to_path(tmp_path / name)
    at_centre = HonestIntake()
    async with endpoint() as own, endpoint(at_centre, tls_port=0, tls=tls) as centre:
        where = ("127.0.0.1", centre.ports["tls"])
        unjudged = await own.connect("TLS", where)
        for ca, fits in (("wrong", False), ("right", True)):
            asked = Centre(f"sips:127.0.0.1:{where[1]}", "4711", ca=str(tmp_path / ca))
            if fits:
                await own.message(asked, b"<mrs><ref>1</ref><snu>0</snu></mrs>", 5)
            else:
                with pytest.raises(ChannelFault, match="no connection"):
                    await own.message(asked, b"<mrs><ref>1</ref><snu>0</snu></mrs>", 5)
            assert len(at_centre.payloads) == fits
        assert unjudged.open


@in_loop
async def test_a_reply_that_comes_too_late_is_still_an_answer_and_never_a_units_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scaip, "SIP_WITHIN_S", 0.3)
    own_intake, slow_intake = HonestIntake(), HonestIntake(by_itself=False)
    async with endpoint(own_intake) as own, endpoint(slow_intake) as slow:
        notifier, _ = channel(own, at(slow))
        with pytest.raises(ChannelFault, match="did not answer"):
            await notifier.deliver(DELIVERY, ALERT)
        [(frame, _, _)] = slow_intake.waiting
        ref = frame.payload.partition(b"<ref>")[2].partition(b"</ref>")[0]
        late = b"<mrs><ref>" + ref + b"</ref><snu>0</snu></mrs>"
        stranger = b"<mrs><ref>0123456789abcdef</ref><snu>0</snu></mrs>"
        to_us = Centre(f"sip:vaka@127.0.0.1:{own.ports['udp']}", "arc")
        await slow.message(to_us, late, 5)
        await slow.message(to_us, stranger, 5)
    assert own_intake.payloads == [stranger]


@in_loop
async def test_what_no_centre_takes_is_a_fault_with_each_reason_and_the_next_try_has_the_same_ref() -> None:
    at_centre = HonestIntake()
    gone = {"uri": f"sip:arc@127.0.0.1:{free_port()};transport=tcp"}
    async with endpoint() as own, endpoint(at_centre, unknown_units="refuse") as centre:
        notifier, receipts = channel(own, gone, at(centre))
        for _ in range(2):
            with pytest.raises(
                ChannelFault, match=r"centre 1: no connection.*centre 2: reply 5, not treated"
            ):
                await notifier.deliver(DELIVERY, ALERT)
    assert at_centre.payloads[0] == at_centre.payloads[1]
    assert not receipts.durable


@pytest.mark.parametrize("password", ["secret", "wrong"])
@in_loop
async def test_a_centre_that_asks_is_given_the_credentials(tmp_path: Path, password: str) -> None:
    users = tmp_path / "users"
    users.write_text(f"4711:vaka:{hashlib.sha256(b'4711:vaka:secret').hexdigest()}\n")
    async with endpoint() as own, endpoint(users=users) as centre:
        notifier, _ = channel(own, at(centre) | {"username": "4711", "password": password})
        if password == "secret":
            assert await notifier.deliver(DELIVERY, ALERT) == ""
        else:
            with pytest.raises(ChannelFault, match="SIP 401"):
                await notifier.deliver(DELIVERY, ALERT)


@in_loop
async def test_only_teams_that_stand_for_a_centre_and_no_synthetic_alarm_go_out() -> None:
    async with endpoint() as own:
        notifier, _ = channel(own, {"uri": "sip:127.0.0.1:9"})
        other = Delivery(
            id="d2", alert="a1", recipient="evening", channel="scaip", step=0, round=1, queued_at=NOW,
            deadline=NOW,
        )  # fmt: skip
        assert await notifier.deliver(other, ALERT) == "not an alarm centre"
        ours = Alert(
            **{name: getattr(ALERT, name) for name in ALERT.__struct_fields__} | {"tenant": SYNTHETIC}
        )
        assert "synthetic" in await notifier.deliver(DELIVERY, ours)
