"""Clock: whether the edge's own clock can be believed, by the kernel's word; its times are never rewritten.

Every frame has the wall's time of the moment at which it was heard, by a clock that never goes back
(`gateway.service.clock.SystemClock`). Where a time service sets a wrong clock right, later frames have the
right time; what was heard before keeps the time that it got, marked as not synced.
"""

import ctypes
import ctypes.util
from typing import Literal

ASK_EVERY_S = 5.0
STA_UNSYNC = 0x0040
"""The kernel's flag of an undisciplined clock (Linux, adjtimex(2))."""
TIME_ERROR = 5
_STA_NANO = 0x2000


class _Timex(ctypes.Structure):
    """The head of `struct timex` of adjtimex(2), and room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


class Discipline:
    """Asks the kernel now and then; `offset_s` is what the kernel still has to slew by."""

    def __init__(self, source: Literal["kernel", "trusted", "none"], max_error_s: float) -> None:
        self._source, self._max_error_s = source, max_error_s
        self.synced = source == "trusted"
        self.offset_s: float | None = None
        self.look()

    def look(self) -> None:
        """Ask again."""
        if self._source != "kernel":
            return
        found = _Timex(modes=0)
        libc = ctypes.CDLL(ctypes.util.find_library("c") or None, use_errno=True)
        answer = libc.adjtimex(ctypes.byref(found))
        self.synced = (
            answer not in {-1, TIME_ERROR}
            and not found.status & STA_UNSYNC
            and found.maxerror <= self._max_error_s * 1e6
        )
        self.offset_s = None if answer == -1 else found.offset / (1e9 if found.status & _STA_NANO else 1e6)
