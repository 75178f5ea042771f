"""Who a connecting device is: by its client certificate, or by its own password."""

from gateway.contract import RegistrySource
from gateway.model.registry import Device
from gateway.service.logins import hash_secret, new_password, verify_secret

_NOBODY = hash_secret(new_password())
"""What an unknown user name is compared with, so that it takes as long as a known one."""


class RegistryCredentials:
    """The `CredentialCheck` over the registry: user name = device id, unless a certificate says more.

    A certificate whose common name is a device's `certificate` needs no password; if a user name is
    given too, both must be the same device.
    """

    def __init__(self, registry: RegistrySource) -> None:
        self._registry = registry
        self._indexed: object = None
        self._by_certificate: dict[str, Device] = {}

    def __call__(self, username: str, password: str, common_name: str) -> Device | None:
        """Return the device, or None for bad credentials."""
        device = self._certified(common_name)
        if device is not None:
            return device if username in ("", device.id) else None
        known = self._registry().devices.get(username)
        secret = known.secret if known is not None else None
        right = verify_secret(password, secret or _NOBODY)
        return known if right and secret else None

    def _certified(self, common_name: str) -> Device | None:
        if not common_name:
            return None
        registry = self._registry()
        if registry is not self._indexed:
            devices = registry.devices.values()
            self._by_certificate = {known.certificate: known for known in devices if known.certificate}
            self._indexed = registry
        return self._by_certificate.get(common_name)
