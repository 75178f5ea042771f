"""Which codec reads an uplink: by the product's name in the frame, else by port and shape of the bytes."""

import re
from datetime import datetime

from adapters.chirpstack.codecs import abeeway, milesight, sensative, sensecap
from adapters.chirpstack.codecs.finding import Finding

NAMES: tuple[tuple[str, re.Pattern[str]], ...] = (
    *(
        (product, re.compile("[-_ ]?".join(re.findall(r"[A-Z]+|[0-9]+", product)), re.IGNORECASE))
        for product in milesight.PRODUCTS
    ),
    ("abeeway", re.compile(r"abeeway|asset[-_ ]?tracker", re.IGNORECASE)),
    ("t1000", re.compile(r"t[-_ ]?1000|sensecap", re.IGNORECASE)),
    ("strips", re.compile(r"sensative|\bstrips?\b", re.IGNORECASE)),
)


def named(names: list[str]) -> str:
    """Return the product that the profile's name, a tag or the device's name holds; "" for none."""
    for name in names:
        for product, pattern in NAMES:
            if pattern.search(name[:128]):
                return product
    return ""


def by_port(port: int) -> str:
    """Return the product whose port nobody else of ours uses; "" for a port that says too little."""
    if port == milesight.PORT:
        return "milesight"
    return "abeeway" if port in abeeway.PORTS else ""


def read_bytes(product: str, data: bytes, port: int, at: datetime | None) -> list[Finding]:
    """Read the bytes with the product's codec; raises Malformed."""
    if product in milesight.PRODUCTS or product == "milesight":
        return milesight.decode(product if product != "milesight" else "", data)
    if product == "abeeway":
        return (abeeway.decode_v3 if abeeway.PORTS.get(port) == "v3" else abeeway.decode_v2)(data, at)
    if product == "t1000":
        return sensecap.decode(data)
    return sensative.decode(data, port)
