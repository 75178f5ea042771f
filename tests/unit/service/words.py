"""What devices of the test town say, as bytes on the wire."""

import json

from tests.unit.service.rig import Rig


async def press(found: Rig, device: str) -> int:
    """Let somebody press for help."""
    event = {
        "specversion": "1.0",
        "id": f"press-{found.clock.now().isoformat()}",
        "source": f"vaka:{device}",
        "type": "vaka.alarm.manual.v1",
        "time": found.clock.now().isoformat(),
        "clockquality": "synced",
        "data": {"presses": 1},
    }
    return await found.send(f"vaka/1/{device}/event", json.dumps(event).encode())
