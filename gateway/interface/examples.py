"""Examples: one whole message of every kind, as a device or the gateway would send it."""

from typing import Any

from gateway.interface.version import Version

TENANT, DEVICE = "kommun", "d17"
TIME = "2026-02-03T21:14:05.123+01:00"
BRANCHES = ("event", "status", "telemetry", "command", "result", "config")


def event_examples(version: Version) -> dict[str, dict[str, Any]]:
    """Return one event of every word, by the word's name."""
    return {word.name: _event(version.wire(word), text.example) for _, word, text in version.words()}


def _event(wire: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "7f3a-41",
        "source": f"vaka:{TENANT}/{DEVICE}",
        "type": wire,
        "time": TIME,
        "sequence": 41,
        "clockquality": "synced",
        "data": data,
    }


def message_examples(version: Version) -> dict[str, dict[str, Any]]:
    """Return one status, last will, batch, command, grant, result and configuration."""
    given = version.examples
    return {
        "status": given["status"],
        "will": {"state": "offline", "reason": "connection lost"},
        "telemetry": {"readings": _readings(version)},
        "command": given["command"],
        "grant": given["grant"],
        "result": given["result"],
        "config": given["config"],
    }


def _readings(version: Version) -> list[dict[str, Any]]:
    wanted = {"position.update": "21:10:00", "battery.low": "21:12:00", "heartbeat": "21:12:30"}
    found = {word.name: (version.wire(word), text.example) for _, word, text in version.words()}
    return [
        {"type": wire, "time": f"2026-02-03T{at}+01:00", "id": f"7f3a-r{number}", "data": data}
        for number, (name, at) in enumerate(wanted.items(), 1)
        for wire, data in [found[name]]
    ]
