"""Edges: which of the frames that home edges number have come already, kept as small records by edge."""

from collections.abc import Callable, Mapping

import msgspec

EDGE = "edge"
WINDOW = 1024
"""So many numbers under the highest one are known singly. An edge has at most 64 numbers on their way, from
the lowest that it was not told is safe, so a number further back has come before. (The window against repeats
of RFC 4303, section 3.4.3, with numbers that arrive out of order because urgent frames overtake.)"""
KEPT_EPOCHS = 4
"""Queues of one edge that are remembered: a new one begins when its disk is replaced."""
_MASK = (1 << WINDOW) - 1
Put = Callable[[str, bytes | None], None]


class Came(msgspec.Struct, frozen=True, array_like=True):
    """What came of one queue: its highest number, and as bits, in hexadecimal, those at and under it."""

    epoch: str
    highest: int
    bits: str


_decode = msgspec.json.Decoder(tuple[Came, ...]).decode
NONE: tuple[Came, ...] = ()


class Edges:
    """The numbers that came. Changed by the single writer only; every change is handed to `put`."""

    def __init__(self, records: Mapping[str, bytes], put: Put) -> None:
        self._put = put
        self._came: dict[str, tuple[Came, ...]] = {}
        for key, body in records.items():
            kind, _, edge = key.partition("\0")
            if kind == EDGE:
                self._came[edge] = _decode(body)

    def first_time(self, edge: str, epoch: str, number: int) -> bool:
        """Note a number of an edge's queue; False when it came before."""
        known = self._came.get(edge, NONE)
        before = next((one for one in known if one.epoch == epoch), None)
        after = _noted(before, epoch, number)
        if after is None:
            return False
        others = tuple(one for one in known if one.epoch != epoch)
        self._came[edge] = came = (*others, after)[-KEPT_EPOCHS:]
        self._put(f"{EDGE}\0{edge}", msgspec.json.encode(came))
        return True


def _noted(before: Came | None, epoch: str, number: int) -> Came | None:
    """Return what came with this number among it, None when it was among it already."""
    if before is None:
        return Came(epoch, number, "1")
    bits, ahead = int(before.bits, 16), number - before.highest
    if ahead > 0:
        moved = (bits << ahead) & _MASK if ahead < WINDOW else 0
        return Came(epoch, number, f"{moved | 1:x}")
    if ahead <= -WINDOW or bits >> -ahead & 1:
        return None
    return Came(epoch, before.highest, f"{bits | 1 << -ahead:x}")
