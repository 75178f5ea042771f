"""The walk: one journalled frame through the steps; the one function that live, replay and simulation run."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from gateway.contract import Adapter, Rule
from gateway.model.frame import INTERNAL, Frame, Transport
from gateway.model.registry import Device, Registry, RegistryDocument
from gateway.model.status import Timer
from gateway.model.trace import Trace, Verdict
from gateway.pipeline import checking, commanding, enrolling, flood, incident, watch
from gateway.pipeline.answer import answer, expired
from gateway.pipeline.arrival import witness
from gateway.pipeline.coverage import refuse_hollow
from gateway.pipeline.decide import RuleBook, judge_context, judge_enrolled, judge_event, judge_timer
from gateway.pipeline.decode import NOTHING, AdapterTable, Decoded, decode
from gateway.pipeline.delivering import overdue, settle
from gateway.pipeline.findings import Finding
from gateway.pipeline.forwarding import alive, opened, repeat
from gateway.pipeline.handover import at_work, change_of_hours, expect, hand_on_changed
from gateway.pipeline.normalise import doubtful, normalise
from gateway.pipeline.owned import joined
from gateway.pipeline.plan import people
from gateway.pipeline.receipt import receipt
from gateway.pipeline.rejection import judge_rejection
from gateway.pipeline.route import route
from gateway.pipeline.state import ALERT_OWNER, CHECK_OWNER, DELIVERY_OWNER, ORDER_OWNER, POLICY_OWNER, State
from gateway.pipeline.twin import twin

OF_PEOPLE = ("people/", "context/", "staff/")
"""Channels of frames that tell of people at work, and not of one alert."""
OF_DEVICES = ("command/", "twin/", "enrol/", "check/")
"""Channels of frames by which somebody wants something of a device, and of the proofs that it went out."""
AWAY_AFTER = timedelta(seconds=30)
"""A gateway that heard nothing for longer before it started had been away: silence until then is its own."""

FAILED_AGAIN = timedelta(seconds=60)
"""A timer that failed fires again so much later: its fault may lie in what changes meanwhile."""


class Walk:
    """The steps joined: which adapters read, which rules judge, which channels carry."""

    def __init__(self, adapters: Sequence[Adapter], rules: Sequence[Rule], channels: Sequence[str]) -> None:
        self.table = AdapterTable(adapters)
        self.rules = RuleBook(rules)
        self.channels = tuple(channels)
        self.manifests = {adapter.manifest.id: adapter.manifest for adapter in adapters}

    def read(self, frame: Frame) -> Decoded:
        """Decode a frame; inputs made inside the house have nothing to decode."""
        return NOTHING if frame.transport in INTERNAL else decode(frame, self.table)

    def doubtful(self, state: State, decoded: Sequence[Decoded]) -> list[str]:
        """Return the event ids to look up in the event log before these frames are walked."""
        return doubtful(state, decoded)

    def step(
        self, state: State, frame: Frame, decoded: Decoded, known: frozenset[str], processed_at: datetime
    ) -> None:
        """Take one frame all the way; what it changed is collected in `state.changes`.

        Deterministic: the same state, frame, readings and known ids give the same changes
        (`processed_at` is only noted on events). Frames are judged for the time of their receipt.
        """
        state.come_to(frame.received_at)
        state.channels = self.channels
        if frame.transport not in INTERNAL:
            self._device(state, frame, decoded, known, processed_at)
        elif frame.channel.startswith(OF_PEOPLE):
            for home, kind in people(state, frame):
                judge_context(state, self.rules, home, kind, frame)
            watch.soon(state)
        elif frame.channel.startswith(OF_DEVICES):
            self._wanted(state, frame)
        elif frame.transport is Transport.PERSON:
            answer(state, frame)
        elif frame.transport is Transport.CLOCK:
            self._tick(state, frame)
        elif frame.transport is Transport.RECEIPT:
            receipt(state, frame)
        elif frame.transport is Transport.WATCH:
            watch.report(state, frame)
        else:
            self._registry(state, frame)
        if state.closed or state.answered or state.offered:
            _finish(state, frame)

    def _device(
        self, state: State, frame: Frame, decoded: Decoded, known: frozenset[str], processed_at: datetime
    ) -> None:
        if decoded.edge:
            heard = opened(state.registry, state.edges, frame, decoded)
            if heard is None:
                state.trace(repeat(frame, decoded))
                return
            frame, decoded = heard
        if frame.heard_by:
            alive(state, frame)
        if decoded.failure:
            self._reject(state, frame, decoded)
            return
        for event in normalise(state, frame, decoded, known, processed_at):
            state.add_event(event)
            witness(state, event, frame)
            checking.heard(state, event, frame)
            judge_event(state, self.rules, event)
        checking.look(state, frame)

    def _reject(self, state: State, frame: Frame, decoded: Decoded) -> None:
        """Quarantine a frame; from a known device that is also a technical alert."""
        device = _sender(state, frame, decoded)
        name = device.id if device else ""
        state.quarantine(frame, name, decoded.failure, decoded.clause)
        step = "transport" if frame.fault else "decode"
        state.trace(Trace(frame.position, step, Verdict.QUARANTINED, decoded.failure, decoded.clause, name))
        if device is not None and device.id in state.registry.enrolments:
            status = state.status(device.id)
            status.rejected += 1
            state.touched(status)
            judge_rejection(state, device, frame, decoded.failure, decoded.clause)

    def _tick(self, state: State, frame: Frame) -> None:
        """Fire every timer that is due, oldest promise first; a `start` notes how long nobody listened."""
        if frame.channel == "start" and state.away > AWAY_AFTER:
            state.listening_since = state.now
        while (timer := state.pop_due(state.now)) is not None:
            try:
                self._fire(state, timer, frame)
            except Exception as error:  # noqa: BLE001 - one promise that fails must not hold back every other
                _put_off(state, timer, frame, type(error).__name__)

    def _fire(self, state: State, timer: Timer, frame: Frame) -> None:
        """Keep the promise that a timer stands for."""
        if timer.owner == ALERT_OWNER:
            if not incident.carried(state, timer, frame.position):
                expired(state, timer, frame)
        elif timer.owner == flood.OWNER:
            incident.look_again(state, timer, frame.position)
        elif timer.owner == watch.OWNER:
            watch.look(state, timer, frame)
        elif timer.owner == POLICY_OWNER:
            change_of_hours(state, timer, frame)
        elif timer.owner == DELIVERY_OWNER:
            overdue(state, timer, frame)
        elif timer.owner == ORDER_OWNER:
            commanding.expire(state, timer, frame)
        elif timer.owner == CHECK_OWNER:
            checking.expire(state, timer, frame)
        else:
            judge_timer(state, self.rules, timer, frame)

    def _registry(self, state: State, frame: Frame) -> None:
        """Take a whole new registry; devices that left it lose their timers when those fire."""
        try:
            filed = RegistryDocument.from_json(frame.payload)
            whole = joined(filed, state.owned.own)
            registry = Registry.of(whole.document)
            crew, before = at_work(state), state.registry.enrolments
            refuse_hollow(state, registry)
            state.set_registry(registry.document)
            enrolling.overrule(state, frame, whole)
        except ValueError as error:
            state.changes.refusals[frame.position] = str(error)
            state.trace(Trace(frame.position, "registry", Verdict.REFUSED, str(error)))
            return
        for device, enrolment in state.registry.enrolments.items():
            judge_enrolled(state, self.rules, device, frame)
            if before.get(device) != enrolment:
                _forget_discovered(state, state.registry.devices[device])
        checking.review(state, frame)
        watch.begin(state)
        hand_on_changed(state, crew, frame, "the registry was changed")
        expect(state)

    def _wanted(self, state: State, frame: Frame) -> None:
        """Take what somebody wants of a device: a command, a configuration, an enrolment, a check."""
        if frame.channel.startswith("command/"):
            commanding.command(state, frame, self.manifests)
            return
        if frame.channel.startswith("twin/"):
            twin(state, frame, self.manifests)
            return
        if frame.channel.startswith("check/"):
            checking.check(state, frame)
            return
        for device in enrolling.enrol(state, frame, self.manifests):
            judge_enrolled(state, self.rules, device, frame)
            _forget_discovered(state, state.registry.devices[device])
        checking.review(state, frame)


def _put_off(state: State, timer: Timer, frame: Frame, fault: str) -> None:
    """Let a timer that failed fire again later, and say so: were the tick to end, no other would fire."""
    if state.timer(timer.key) is None:
        state.arm(replace(timer, due_at=state.now + FAILED_AGAIN))
    reason = f"a timer of {timer.owner!r} failed with {fault}"
    state.trace(Trace(frame.position, "tick", Verdict.JUDGED, reason, "S7"))
    found = Finding(kind="timer_overdue", subject="timers", reason=reason)
    watch.tell(state, frame, found.kind, [found])


def _finish(state: State, frame: Frame) -> None:
    """Do what follows of alerts that this frame closed, let somebody take, or offered."""
    watch.learn(state, frame)
    incident.settle(state, frame.position)
    settle(state)
    route(state, frame)


def _sender(state: State, frame: Frame, decoded: Decoded) -> Device | None:
    """Return who sent a frame that could not be read: by its proved identity, else by what it says."""
    proved = state.registry.devices.get(frame.source)
    return proved or state.registry.device_named(decoded.adapter, decoded.native_id)


def _forget_discovered(state: State, device: Device) -> None:
    key = f"{device.adapter}\0{device.native_id}"
    if state.discovered.pop(key, None) is not None:
        state.changes.discovered[key] = None
