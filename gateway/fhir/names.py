"""Names: our identities as logical ids of FHIR, and back."""

import re
from functools import lru_cache
from hashlib import blake2b

ALLOWED = re.compile(r"[A-Za-z0-9-]")
LONGEST = 64
DIGEST = "z.."
"""Before the digest of a name that is too long to be written out; it leads back to nothing by itself."""


@lru_cache(4096)
def logical_id(name: str) -> str:
    """Return a name as a logical id: letters, digits and - as they are, all else as a point and its hex."""
    written = "".join(one if ALLOWED.match(one) else f".{one.encode().hex()}." for one in name)
    if len(written) <= LONGEST:
        return written
    return DIGEST + blake2b(name.encode(), digest_size=20).hexdigest()


def name_of(written: str) -> str:
    """Return the name of a logical id, "" for one that is not ours or only a digest."""
    if written.startswith(DIGEST):
        return ""
    parts = re.split(r"\.([0-9a-f]+)\.", written)
    try:
        return "".join(part if n % 2 == 0 else bytes.fromhex(part).decode() for n, part in enumerate(parts))
    except ValueError:
        return ""
