"""The channel of web push, made where it is configured."""

from gateway.contract import Notifier
from gateway.service.means import Means


def make(means: Means) -> Notifier | None:
    """Make the channel if it is configured."""
    if means.settings.webpush is None or means.push_key is None:
        return None
    from gateway.notifiers.browsers import WebPushNotifier  # noqa: PLC0415 - its library costs others 0.3 s

    return WebPushNotifier(means, means.push_key, means.settings.webpush.subject)
