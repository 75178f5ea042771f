"""Registries: what may be told of a registry, record by record; whatever is not built here is left out."""

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.model.people import Rotation, Staff
from gateway.model.registry import Device, Enrolment, Home, Ladder, RegistryDocument, Tenant, Window
from gateway.model.synthetic import SYNTHETIC
from gateway.recording.names import Names
from gateway.recording.places import Places, Unmoved


class Registries:
    """Rebuilds a registry with other names and places, and without what is nobody's business.

    `adapters` and `rules` are the names that may stay; overrides of other rules are left out.
    """

    def __init__(
        self, names: Names, places: Places | Unmoved, adapters: Iterable[str], rules: Iterable[str]
    ) -> None:
        self._names, self._places = names, places
        self._adapters, self._rules = frozenset(adapters), frozenset(rules)

    def document(self, found: RegistryDocument) -> dict[str, Any]:
        """Return the registry as JSON would hold it; the synthetic tenant is not in it."""
        ref = self._names.ref
        devices = [one for one in found.device if one.tenant != SYNTHETIC]
        known = {one.id for one in devices}
        return {
            "tenant": [self._tenant(one) for one in found.tenant if one.id != SYNTHETIC],
            "unit": [
                {"id": ref(one.id), "tenant": ref(one.tenant), "name": "-", **self._own(one.ladders)}
                for one in found.unit
                if one.tenant != SYNTHETIC
            ],
            "team": [
                {"id": ref(one.id), "unit": ref(one.unit), "name": "-"}
                for one in found.team
                if one.unit != SYNTHETIC
            ],
            "ladder": [self._ladder(one) for one in found.ladder if one.tenant != SYNTHETIC],
            "home": [self._home(one) for one in found.home if one.tenant != SYNTHETIC],
            "person": [
                {"ref": ref(one.ref), "home": ref(one.home), "flags": self._words(one.flags)}
                for one in found.person
            ],
            "device": [self._device(one) for one in devices],
            "enrolment": [self._enrolment(one) for one in found.enrolment if one.device in known],
            "override": [
                _told({"rule": one.rule, **self._whose(one), "numbers": dict(one.numbers)})
                for one in found.override
                if one.rule in self._rules
            ],
            "staff": [self.staff(one) for one in found.staff],
            "rotation": [self._rotation(one) for one in found.rotation],
        }

    def staff(self, one: Staff) -> dict[str, Any]:
        """Return somebody who works."""
        return {
            "ref": self._names.ref(one.ref),
            "tenant": self._names.ref(one.tenant),
            "teams": [self._names.ref(name) for name in one.teams],
            "roles": self._words(one.roles),
            "competences": self._words(one.competences),
            "credentials": sorted(self._names.ref(name) for name in one.credentials),
        }

    def _tenant(self, one: Tenant) -> dict[str, Any]:
        return {
            "id": self._names.ref(one.id),
            "name": "-",
            "time_zone": one.time_zone,
            "night_from": one.night_from.isoformat(),
            "night_until": one.night_until.isoformat(),
            **self._own(one.ladders),
            "failsafe": [self._names.ref(name) for name in one.failsafe],
        }

    def _ladder(self, one: Ladder) -> dict[str, Any]:
        steps = [
            _told(
                {
                    "to": [self._names.ref(name) for name in step.to],
                    "within_s": step.within_s,
                    "at_night": [self._names.ref(name) for name in step.at_night],
                    "role": self._names.word(step.role),
                }
            )
            for step in one.steps
        ]
        ref = self._names.ref
        return {"id": ref(one.id), "tenant": ref(one.tenant), "steps": steps, "repeat_s": one.repeat_s}

    def _home(self, one: Home) -> dict[str, Any]:
        ref = self._names.ref
        return _told(
            {
                "id": ref(one.id),
                "tenant": ref(one.tenant),
                "unit": ref(one.unit),
                "care_ladder": ref(one.care_ladder),
                "technical_ladder": ref(one.technical_ladder),
                "zone": None if one.zone is None else self._places.zone(one.id, one.zone),
                **self._own(one.ladders),
            }
        )

    def _device(self, one: Device) -> dict[str, Any]:
        """Return a device, which has its own name also as its vendor's name for it."""
        name = self._names.ref(one.id)
        adapter = one.adapter if one.adapter in self._adapters else self._names.ref(one.adapter)
        via = self._names.ref(one.via) if one.via else None
        tenant = self._names.ref(one.tenant)
        told = {"id": name, "tenant": tenant, "adapter": adapter, "native_id": name, "via": via}
        return _told({**told, "kind": one.kind.value})

    def _enrolment(self, one: Enrolment) -> dict[str, Any]:
        return _told(
            {
                "device": self._names.ref(one.device),
                "home": self._names.ref(one.home),
                "person": self._names.ref(one.person) if one.person else None,
                "since": one.since.isoformat(),
                "role": self._names.word(one.role),
                "supervised": one.supervised,
                "heartbeat_s": one.heartbeat_s,
                "doses": [self._window(window) for window in one.doses],
                "looks": [self._window(window) for window in one.looks],
            }
        )

    def _window(self, one: Window) -> dict[str, Any]:
        return {"ref": self._names.ref(one.ref), "at": one.at.isoformat(), "minutes": one.minutes}

    def _rotation(self, one: Rotation) -> dict[str, Any]:
        return _told(
            {
                "id": self._names.ref(one.id),
                "team": self._names.ref(one.team),
                "turns": [[self._names.ref(name) for name in turn] for turn in one.turns],
                "every_days": one.every_days,
                "starts": one.starts.isoformat(),
                "ends": one.ends.isoformat() if one.ends else None,
                "at": one.at.isoformat(),
                "until": one.until.isoformat(),
                "weekdays": sorted(one.weekdays),
            }
        )

    def _whose(self, one: Any) -> dict[str, str | None]:
        whose = {"tenant": one.tenant, "unit": one.unit, "person": one.person}
        return {name: self._names.ref(found) if found else None for name, found in whose.items()}

    def _own(self, ladders: Mapping[Any, str]) -> dict[str, dict[str, str]]:
        return {"ladders": {str(route): self._names.ref(name) for route, name in ladders.items()}}

    def _words(self, words: Iterable[str]) -> list[str]:
        return sorted(self._names.word(word) for word in words)


def _told(record: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is not set."""
    return {name: value for name, value in record.items() if value is not None}
