"""SIP: MESSAGE requests of alarm units over UDP, TCP and TLS (RFC 3261, RFC 3428), and ours to them."""

from gateway.transports.sip.endpoint import SipEndpoint
from gateway.transports.sip.serving import Ports

__all__ = ["Ports", "SipEndpoint"]
