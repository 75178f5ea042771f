"""The SCAIP codec: alarms, resets, information and heartbeats of alarm senders."""

from collections.abc import Sequence
from importlib.resources import files

from adapters.scaip.message import CLAUSES, Message, read_message
from adapters.scaip.reply import GOOD, Verdict, is_reply, write_reply
from adapters.scaip.words import kind_of, withdrawn, word_for
from gateway.contract import Manifest, Told, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.codes import CODE_MAP
from gateway.model.frame import Frame
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import (
    VOCABULARY,
    AlarmValues,
    ClockQuality,
    GeofenceValues,
    HealthValues,
    PositionValues,
    SensorValues,
    Values,
)

__all__ = ["CLAUSES", "ScaipAdapter"]

Details = dict[str, str | int | float | bool]
ATTACHED = frozenset({"034", "035"})
"""Location codes that say only that a position is attached."""


class ScaipAdapter:
    """Reads SCAIP requests and makes the replies; when a reply goes out is the transport's."""

    def __init__(self) -> None:
        self._manifest = read_manifest(files("adapters.scaip").joinpath("manifest.toml").read_text("utf-8"))

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Reading | Ignored]:
        """Read one message; raises Undecodable with the clause."""
        parts = frame.channel.split("/")
        if len(parts) != 2 or parts[0] != "sip" or not parts[1]:
            raise Undecodable("the channel is not sip/{user}", clause="SCAIP-TOPIC")
        said = read_message(frame.payload)
        if said is None:
            return (Ignored(parts[1], "a reply to a message of ours"),)
        if said.kind == "PI":
            values = HealthValues(code=said.status, details=_details(said))
            return (_reading(said, "heartbeat", values),)
        return _read(said)

    def reply(self, frame: Frame, told: Told) -> bytes:
        """Return the `mrs` of a request, b"" for what is a reply itself."""
        if is_reply(frame.payload):
            return b""
        try:
            self.decode(frame)
            verdict = GOOD
        except Undecodable as error:
            verdict = Verdict(error.clause, error.reason)
        return write_reply(frame.payload, verdict, told)


def _read(said: Message) -> list[Reading | Ignored]:
    word = word_for(said.device_type, said.status, said.location)
    if not word and said.place is None:
        reason = f"device type {said.device_type} with status {said.status} means nothing that we know"
        raise Undecodable(reason, clause="SCAIP-CODE", native_id=said.controller)
    if said.kind == "RE":
        word = withdrawn(word)
    found: list[Reading | Ignored] = []
    if word and not (said.kind == "IN" and VOCABULARY[word].values is AlarmValues):
        found.append(_reading(said, word, _values(said, word)))
    if said.place and not (
        found and VOCABULARY[word].values in (AlarmValues, GeofenceValues, PositionValues)
    ):
        found.append(_reading(said, "position.update", _values(said, "position.update")))
    return found or [Ignored(said.controller, "information about an alarm that runs: no new alarm")]


def _values(said: Message, word: str) -> Values:
    kind, details = VOCABULARY[word].values, _details(said)
    place = said.place
    if place and place.at and kind is AlarmValues:
        details["position_at"] = place.at.isoformat()
    if place and kind in (AlarmValues, GeofenceValues, PositionValues):
        return kind(latitude=place.latitude, longitude=place.longitude, details=details)
    if kind is PositionValues:  # a position report without a position
        return HealthValues(details=details)
    if kind is HealthValues:
        return HealthValues(code=said.status, details=details)
    if kind is SensorValues:
        return SensorValues(location=_location(said), details=details)
    return kind(details=details)


def _location(said: Message) -> str | None:
    if said.location in ATTACHED or said.location == "000":
        return None
    return CODE_MAP.scaip.location_codes.get(said.location, said.location)


def _details(said: Message) -> Details:
    """Keep the codes; texts, the caller's number and the vendor's user names are left behind."""
    found: Details = {"device_type": said.device_type, "status_code": said.status, "message_type": said.kind}
    if said.location != "000":
        found["location_code"] = said.location
    for name, value in (
        ("device_sub_id", said.sub_id),
        ("component", said.component),
        ("caller_scheme", said.caller),
    ):
        if value:
            found[name] = value
    return found


def _reading(said: Message, word: str, values: Values) -> Reading:
    if word == "position.update" and not isinstance(values, PositionValues):
        word = "heartbeat"
    measured = isinstance(values, GeofenceValues | PositionValues)  # a call's own time SCAIP does not tell
    at = said.place.at if said.place and measured else None
    return Reading(
        native_id=said.controller,
        kind=kind_of(said.device_type),
        type=word,
        values=values,
        occurred_at=at,
        clock=ClockQuality.SYNCED if at else ClockQuality.NONE,
        key=f"{said.kind}:{said.ref}:{said.device_type}:{said.status}",
    )
