"""SIP and DC-09 joined: with the adapters' replies and the registry's word on who is enrolled."""

from collections.abc import Sequence

from gateway.contract import Adapter, Clock, Intake, Outcome, RegistrySource, Told
from gateway.dc09_settings import Dc09Settings
from gateway.model.frame import Frame
from gateway.pipeline.decode import AdapterTable, decode
from gateway.plugins import answers
from gateway.sip_settings import SipSettings
from gateway.transports.dc09 import Dc09Listener
from gateway.transports.sip import Ports, SipEndpoint


def make_sip(
    settings: SipSettings,
    adapters: Sequence[Adapter],
    registry: RegistrySource,
    intake: Intake,
    clock: Clock,
) -> SipEndpoint | None:
    """Return the way in by SIP, None where it is not enabled; raises ConfigurationError for its files."""
    if not settings.enabled:
        return None
    table, answer = AdapterTable(adapters), answers(adapters)

    def reply(frame: Frame, outcome: Outcome) -> bytes:
        return answer(frame, Told(outcome, clock.now(), settings.interval))

    def judge(frame: Frame) -> Outcome:
        """Tell whose word it is, before the frame is taken; of what cannot be read the reply tells."""
        if not settings.own_unit_only and settings.unknown_units == "take":
            return Outcome.TAKEN
        found = decode(frame, table)
        names = {item.native_id for item in found.items} or {found.native_id}
        if settings.own_unit_only and names - {frame.channel.partition("/")[2]} - {""}:
            return Outcome.FOREIGN
        known = registry()
        unknown = any(name and known.device_named(found.adapter, name) is None for name in names)
        return Outcome.UNKNOWN if unknown and settings.unknown_units == "refuse" else Outcome.TAKEN

    return SipEndpoint(settings, Ports(intake, clock, reply, judge))


def make_dc09(
    settings: Dc09Settings, adapters: Sequence[Adapter], intake: Intake, clock: Clock
) -> Dc09Listener | None:
    """Return the way in for alarm panels, None where it is not enabled."""
    if not settings.enabled:
        return None
    answer = answers(adapters)
    return Dc09Listener(
        settings, intake, clock, lambda frame, outcome: answer(frame, Told(outcome, clock.now()))
    )
