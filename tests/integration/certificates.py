"""Certificates of a made-up authority, for brokers and gateways that speak TLS."""

from pathlib import Path

import trustme


class Certificates:
    """A made-up authority, the broker's certificate, and the gateway's."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        self.server = self._issue(authority, folder, "127.0.0.1")
        self.client = self._issue(authority, folder, "gateway.example.org")
        self.stranger_ca = folder / "stranger-ca.pem"
        trustme.CA().cert_pem.write_to_path(str(self.stranger_ca))

    @staticmethod
    def _issue(authority: trustme.CA, folder: Path, name: str) -> tuple[Path, Path]:
        issued = authority.issue_cert(name, common_name=name)
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(key))
        return certificate, key

    def lines(self, *, client: bool) -> list[str]:
        certificate, key = self.server
        asked = ["require_certificate true", "use_identity_as_username true"] if client else []
        return [f"cafile {self.ca}", f"certfile {certificate}", f"keyfile {key}", *asked]
