"""Twin: the configuration that a device should have, set by a person; the one it has, by its own word."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.contract import Manifest, Refused
from gateway.model.equipment import Twin
from gateway.model.frame import Frame, Transport
from gateway.model.records import is_zone
from gateway.model.trace import Trace, Verdict
from gateway.model.vocabulary import Revision
from gateway.model.wire import Config
from gateway.pipeline.state import State

STUCK_AFTER = timedelta(hours=1)
"""A device that was heard, and so long after does not say that it has its configuration, is stuck."""
MAX_REASON = 200


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A desired configuration as somebody sets it; `seen` is the revision that they looked at."""

    actor: str
    reason: str
    config: dict[str, Any]
    seen: Revision | None = None


_read = msgspec.json.Decoder(Wanted)


def twin(state: State, frame: Frame, manifests: Mapping[str, Manifest]) -> None:
    """Take `twin/set/<device>` from a person, or `twin/published/<device>` as the proof that it went out."""
    try:
        _take(state, frame, manifests)
    except (Refused, msgspec.DecodeError, ValueError) as refusal:
        state.changes.refusals[frame.position] = str(refusal)
        state.trace(Trace(frame.position, "twin", Verdict.REFUSED, str(refusal)))


def reported(state: State, frame: Frame, device: str, revision: int) -> None:
    """Note which revision a device says it has; one that is told again changes nothing."""
    known = state.equipment.twins.get(device) or Twin(device=device)
    if known.reported != revision:
        state.equipment.keep_twin(replace(known, reported=revision, reported_at=frame.received_at))


def stuck(state: State) -> Iterator[Twin]:
    """Yield the twins whose device was heard well after the configuration went out, and still has another."""
    for one in state.equipment.twins.values():
        if not one.drifts or one.set_at is None or one.device not in state.registry.enrolments:
            continue
        status = state.statuses.get(one.device)
        heard = status.last_seen_at if status else None
        if state.now - one.set_at >= STUCK_AFTER and heard is not None and heard > one.set_at:
            yield one


def _take(state: State, frame: Frame, manifests: Mapping[str, Manifest]) -> None:
    _, word, name = (*frame.channel.split("/", 2), "", "")[:3]
    if frame.transport is Transport.PERSON and word == "set":
        _set(state, frame, name, manifests)
    elif frame.transport is Transport.RECEIPT and word == "published":
        _published(state, name, int(frame.payload or b"0"))
    else:
        raise Refused("allowed: twin/set/<device>, twin/published/<device>")


def _set(state: State, frame: Frame, name: str, manifests: Mapping[str, Manifest]) -> None:
    told = _read.decode(frame.payload)
    device = state.registry.devices.get(name)
    if device is None or name not in state.registry.enrolments:
        raise Refused(f"device: found {name!r}; allowed: an enrolled device")
    manifest = manifests.get(device.adapter)
    if manifest is None or not manifest.config_topic:
        raise Refused(f"the adapter {device.adapter} takes no configuration")
    if not told.reason.strip():
        raise Refused("a configuration needs a reason")
    known = state.equipment.twins.get(name) or Twin(device=name)
    before = known.desired.revision if known.desired else 0
    if told.seen is not None and told.seen != before:
        raise Refused(f"somebody else set revision {before} meanwhile: look at it first")
    desired = _config(told.config, max(before, known.reported or 0) + 1)
    if known.desired is not None and replace(desired, revision=before) == known.desired:
        return  # the same again: no new revision
    kept = replace(
        known,
        desired=desired,
        actor=told.actor,
        reason=told.reason.strip()[:MAX_REASON],
        set_at=frame.received_at,
        published=0,
    )
    state.equipment.keep_twin(kept)


def _config(body: dict[str, Any], revision: int) -> Config:
    """Read the configuration; Refused names the key that is wrong."""
    allowed = set(Config.__struct_fields__) - {"revision", "grant_keys"}
    if unknown := set(body) - allowed:
        raise Refused(f"config: found {', '.join(sorted(unknown))}; allowed: {', '.join(sorted(allowed))}")
    config = msgspec.convert({**body, "revision": revision}, Config)
    if config.time_zone is not None and not is_zone(config.time_zone):
        raise Refused(f"time_zone: found {config.time_zone!r}; allowed: an IANA name")
    for what in ("geofences", "doses", "looks"):
        names = [one.ref for one in getattr(config, what)]
        if len(set(names)) != len(names):
            raise Refused(f"{what}: a ref stands twice")
    if (config.doses or config.looks) and config.time_zone is None:
        raise Refused("time_zone: needed for the local times of doses and looks")
    return config


def _published(state: State, name: str, revision: int) -> None:
    known = state.equipment.twins.get(name)
    if known is not None and known.desired is not None and known.desired.revision == revision:
        state.equipment.keep_twin(replace(known, published=revision))
