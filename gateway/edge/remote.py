"""Remote: what the centre sets at an edge: how often it is heard, what waits there, whom its radio hears."""

import logging

import msgspec
from msgspec.structs import replace
from pydantic import ValidationError

from gateway.ble_settings import BleSettings
from gateway.contract import Refused
from gateway.edge.order import Limits
from gateway.edge.settings import EdgeSettings
from gateway.model.wire import Config
from gateway.plugins import load_profiles

log = logging.getLogger(__name__)


class Remote:
    """The edge's own file with the centre's configuration laid over it; without one the file alone."""

    def __init__(self, settings: EdgeSettings, kept: str) -> None:
        self._settings = settings
        self.config: Config | None = None
        try:
            self.config = read_config(kept.encode()) if kept else None
            self.radio()
        except Refused as refusal:  # kept by another version, or a profile is not installed any more
            log.warning("the kept configuration cannot be applied; the edge's own file holds: %s", refusal)
            self.config = None

    @property
    def revision(self) -> int | None:
        """Which configuration is applied, None while none is."""
        return self.config.revision if self.config else None

    @property
    def heartbeat_s(self) -> float:
        """How often the edge is heard."""
        return (
            self.config.heartbeat_s if self.config and self.config.heartbeat_s else self._settings.heartbeat_s
        )

    def limits(self) -> Limits:
        """Return what the queue may hold."""
        queue, set_ = self._settings.queue, self.config
        age_s = (set_.queue_age_s if set_ else None) or queue.max_age_s
        found = Limits(
            max_bytes=queue.max_bytes,
            max_frames=queue.max_frames,
            max_age_us=int(age_s * 1_000_000),
            window=self._settings.uplink.in_flight,
        )
        most = set_.queue_bytes if set_ else None
        return replace(found, max_bytes=most) if most else found

    def radio(self) -> BleSettings:
        """Return whom the radio hears; Refused names what is wrong with it."""
        own = self._settings.ble
        if self.config is None or not self.config.radios:
            return own
        devices = [
            {key: value for key, value in msgspec.structs.asdict(one).items() if value}
            for one in self.config.radios
        ]
        try:
            found = BleSettings.model_validate(own.model_dump() | {"device": devices})
        except ValidationError as error:
            raise Refused(f"radios: {error.errors()[0]['msg']}") from error
        known = {profile.id for profile in load_profiles()}
        for one in found.device:
            if one.profile not in known:
                raise Refused(f"radios.profile: found {one.profile!r}; allowed: {', '.join(sorted(known))}")
        return found

    def offered(self, payload: bytes) -> "Remote":
        """Return what would hold with another configuration; Refused when it cannot be applied."""
        other = Remote(self._settings, "")
        other.config = read_config(payload)
        other.radio()
        return other


def read_config(payload: bytes) -> Config:
    """Read a configuration of the interface; Refused for anything else."""
    try:
        return msgspec.json.decode(payload, type=Config)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(f"no configuration: {error}") from error
