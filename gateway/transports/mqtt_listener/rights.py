"""What one device may publish and subscribe to: its own branch and its own inbox, nothing else."""

from collections.abc import Mapping

from gateway.contract import Manifest
from gateway.model.registry import Device
from gateway.transports.mqtt_listener.topics import WILDCARDS, covers


class Rights:
    """Filters that a device may publish within and subscribe within."""

    def __init__(self, publish: tuple[str, ...], subscribe: tuple[str, ...]) -> None:
        self._publish = publish
        self._subscribe = subscribe

    def may_publish(self, topic: str) -> bool:
        """Tell whether the topic name lies in the device's branch."""
        return any(covers(branch, topic) for branch in self._publish)

    def may_subscribe(self, topic_filter: str) -> bool:
        """Tell whether all that the filter can match lies in the device's inbox."""
        return any(covers(inbox, topic_filter) for inbox in self._subscribe)


def rights_of(device: Device, manifests: Mapping[str, Manifest]) -> Rights:
    """Return the rights that the device's adapter gives; none for an adapter that is not loaded.

    A native id with a wildcard in it would reach into the branches of others: it gives no rights.
    """
    manifest = manifests.get(device.adapter)
    if manifest is None or WILDCARDS & set(device.native_id) or WILDCARDS & set(device.tenant):
        return Rights((), ())
    branch, inbox = (
        text.replace("{native_id}", device.native_id).replace("{tenant}", device.tenant)
        for text in (manifest.branch, manifest.inbox)
    )
    return Rights((branch,) if branch else (), (inbox,) if inbox else ())


def open_rights(manifests: Mapping[str, Manifest]) -> Rights:
    """Return the rights of an anonymous peer on loopback: whatever an adapter reads, and any inbox."""
    return Rights(tuple(topic for manifest in manifests.values() for topic in manifest.topics), ("#",))
