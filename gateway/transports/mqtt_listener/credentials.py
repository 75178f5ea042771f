"""Who a connecting device is: by its client certificate, or by its own password.

Device passwords are made by `new_password` with 128 bits of entropy, not chosen by people: guessing
one is hopeless at any speed, so a fast salted hash is the right one, and a slow hash (as argon2 for
staff) would let anybody stall the listener by trying to log in.
"""

import secrets
from hashlib import blake2b
from hmac import compare_digest

from gateway.contract import RegistrySource
from gateway.model.registry import Device

SCHEME = "blake2b"
_SALT_BYTES = 16
_DIGEST_BYTES = 32
_PASSWORD_BYTES = 16
_LONGEST_PASSWORD = 512


def new_password() -> str:
    """Make a device password of 128 random bits."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def hash_secret(password: str) -> str:
    """Return what the registry keeps of a device password: "blake2b$<salt hex>$<digest hex>"."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"{SCHEME}${salt.hex()}${_digest(password, salt).hex()}"


def verify_secret(password: str, secret: str) -> bool:
    """Tell whether the password is the one kept as `secret`; False for a secret of another form."""
    scheme, _, rest = secret.partition("$")
    salt, _, digest = rest.partition("$")
    if scheme != SCHEME or len(password) > _LONGEST_PASSWORD:
        return False
    try:
        return compare_digest(_digest(password, bytes.fromhex(salt)), bytes.fromhex(digest))
    except ValueError:
        return False


def _digest(password: str, salt: bytes) -> bytes:
    return blake2b(password.encode(), digest_size=_DIGEST_BYTES, salt=salt).digest()


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
