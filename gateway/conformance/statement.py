"""The signed statement: in-toto Statement v1, predicate test-result v0.1, in a DSSE envelope, Ed25519.

Sources: in-toto Attestation Framework, Statement v1 and predicate test-result v0.1; DSSE v1.0.2.
"""

import base64
import hashlib
import os
from pathlib import Path
from typing import Any, Literal

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.conformance.report import Report
from gateway.conformance.verdict import Verdict
from gateway.contract import ConfigurationError

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD = "application/vnd.in-toto+json"
RESULTS = {Verdict.PASS: "PASSED", Verdict.FAIL: "FAILED"}
Grade = Literal["self-declared", "witnessed"]


class Signature(msgspec.Struct, frozen=True):
    """One signature in base64; `keyid` is the SHA-256 of the raw public key."""

    keyid: str
    sig: str


class Envelope(msgspec.Struct, frozen=True, rename="camel"):
    """A DSSE envelope: the payload in base64, and who signed it."""

    payload_type: str
    payload: str
    signatures: tuple[Signature, ...]


def statement(report: Report, report_bytes: bytes, grade: Grade) -> dict[str, Any]:
    """Return what is claimed: about these digests, with this kit, this came out.

    A run that is neither pass nor fail is told as WARNED: the predicate knows no fourth word.
    """
    named = {"firmware": f"{report.device.vendor}/{report.device.product}/{report.device.firmware}"}
    subjects = [
        {"name": named.get(name, name), "digest": {"sha256": digest}}
        for name, digest in sorted(report.digests.items())
    ]
    subjects.append({"name": "report", "digest": {"sha256": hashlib.sha256(report_bytes).hexdigest()}})
    by_verdict = {
        verdict: [one.id for one in report.clauses if one.verdict is verdict and one.level == "must"]
        for verdict in Verdict
    }
    return {
        "_type": STATEMENT,
        "subject": subjects,
        "predicateType": PREDICATE,
        "predicate": {
            "result": RESULTS.get(report.verdict, "WARNED"),
            "configuration": [
                {
                    "name": "vaka-conformance-kit",
                    "digest": {"sha256": report.kit.digest},
                    "annotations": {
                        "version": report.kit.version,
                        "interface": report.interface,
                        "grade": grade,
                        "verdict": report.verdict.value,
                        "testedAt": report.ended_at.isoformat(timespec="seconds"),
                        "excluded": [one.case for one in report.exclusions],
                    },
                }
            ],
            "passedTests": by_verdict[Verdict.PASS],
            "warnedTests": by_verdict[Verdict.INCONCLUSIVE] + by_verdict[Verdict.NOT_EXECUTED],
            "failedTests": by_verdict[Verdict.FAIL],
        },
    }


def sign(claimed: dict[str, Any], key: Ed25519PrivateKey) -> bytes:
    """Return the envelope as JSON."""
    payload = msgspec.json.encode(claimed)
    signature = key.sign(_authenticated(PAYLOAD, payload))
    envelope = Envelope(
        payload_type=PAYLOAD,
        payload=base64.b64encode(payload).decode(),
        signatures=(Signature(key_id(key.public_key()), base64.b64encode(signature).decode()),),
    )
    return msgspec.json.format(msgspec.json.encode(envelope), indent=1) + b"\n"


def verified(envelope: bytes, key: Ed25519PublicKey) -> dict[str, Any]:
    """Return the statement, if the key signed it; ConfigurationError says what is wrong with it."""
    try:
        found = msgspec.json.decode(envelope, type=Envelope)
        payload = base64.b64decode(found.payload, validate=True)
        signatures = [base64.b64decode(one.sig, validate=True) for one in found.signatures]
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise ConfigurationError(f"found {error}; allowed: a DSSE envelope as JSON") from error
    if not any(_signed(key, one, _authenticated(found.payload_type, payload)) for one in signatures):
        raise ConfigurationError("found a signature of another key, or changed content; allowed: this key's")
    claimed = _claimed(payload) if found.payload_type == PAYLOAD else {}
    if claimed.get("_type") != STATEMENT or claimed.get("predicateType") != PREDICATE:
        raise ConfigurationError(f"found another kind of statement; allowed: {STATEMENT} with {PREDICATE}")
    return claimed


def digests_of(claimed: dict[str, Any]) -> dict[str, str]:
    """Return the digest of every subject by its name."""
    return {str(one.get("name")): str(one.get("digest", {}).get("sha256")) for one in claimed["subject"]}


def grade_of(claimed: dict[str, Any]) -> str:
    """Return the grade that a statement claims."""
    return str(claimed["predicate"]["configuration"][0]["annotations"]["grade"])


def make_key(path: Path) -> Path:
    """Make a key pair: the private key at `path` (PEM, readable by its owner), the public one beside it.

    Raises ConfigurationError when there is such a file already: a key is never overwritten.
    """
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    beside = path.with_name(path.name + ".pub")
    for file, content, mode in ((path, private, 0o600), (beside, public, 0o644)):
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError as error:
            raise ConfigurationError(f"{file}: found a file; allowed: a name that is free") from error
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
    return beside


def read_private(path: Path) -> Ed25519PrivateKey:
    """Read a private key, PEM without a passphrase; ConfigurationError for anything else."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{path}: found no key that can be read; allowed: {_KEY}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{path}: found a key of another kind; allowed: {_KEY}")
    return key


def read_public(path: Path) -> Ed25519PublicKey:
    """Read a public key, PEM; ConfigurationError for anything else."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{path}: found no key that can be read; allowed: {_PUBLIC}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(f"{path}: found a key of another kind; allowed: {_PUBLIC}")
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of the raw public key in hexadecimal."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


_KEY = "an Ed25519 private key as PEM without a passphrase (vaka conform key)"
_PUBLIC = "an Ed25519 public key as PEM"


def _authenticated(kind: str, payload: bytes) -> bytes:
    """Return what is signed: DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %b %d %b" % (len(kind.encode()), kind.encode(), len(payload), payload)


def _signed(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _claimed(payload: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"found {error}; allowed: a statement as JSON") from error
