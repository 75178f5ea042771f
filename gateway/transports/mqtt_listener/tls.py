"""TLS of the listener, and a trace of every handshake that failed, which asyncio passes over in silence."""

import ssl
from collections.abc import Callable

from gateway.config import ListenerTls


def server_context(tls: ListenerTls, failed: Callable[[str], None]) -> ssl.SSLContext:
    """Return the TLS settings: TLS 1.2 or later, client certificates as configured.

    `failed` is called with the reason of each handshake that failed, on the event loop.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls.certificate, tls.key)
    if tls.client_ca is not None:
        context.load_verify_locations(tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if tls.require_client else ssl.CERT_OPTIONAL
    context.sslobject_class = _telling(failed)
    return context


def _telling(failed: Callable[[str], None]) -> type[ssl.SSLObject]:
    class Telling(ssl.SSLObject):
        """Says why a handshake failed, and fails as before."""

        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise  # the peer has more to say
            except ssl.SSLError as error:
                failed(_reason(error))
                raise

    return Telling


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the device's certificate: {error.verify_message}"
    return (error.reason or "the peer closed").replace("_", " ").lower()
