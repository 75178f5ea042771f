"""The commissioning checks that the single writer keeps, as small records by device."""

from collections.abc import Mapping

import msgspec

from gateway.model.commissioning import Check, Checked
from gateway.pipeline.equipment import Put

CHECK = "check"
_decoder = msgspec.json.Decoder(Checked)


class Checks:
    """What is known of each device's commissioning. Changed by the single writer only."""

    def __init__(self, records: Mapping[str, bytes], put: Put) -> None:
        self._put = put
        self.known: dict[str, Checked] = {}
        self.open: dict[str, Check] = {}
        for key, body in records.items():
            self.take(key, body)

    def take(self, key: str, body: bytes | None) -> None:
        """Take up one record as it was kept; None forgets it. Records of others are left alone."""
        kind, _, name = key.partition("\0")
        if kind != CHECK:
            return
        self.open.pop(name, None)
        self.known.pop(name, None)
        if body is not None:
            found = self.known[name] = _decoder.decode(body)
            if found.open is not None:
                self.open[name] = found.open

    def of(self, device: str) -> Checked:
        """Return what is known of a device, empty if it was never checked."""
        return self.known.get(device) or Checked(device=device)

    def keep(self, checked: Checked) -> None:
        """Keep a new value."""
        key, body = f"{CHECK}\0{checked.device}", msgspec.json.encode(checked)
        self.take(key, body)
        self._put(key, body)
