# The pendant's hardware on an ESP32: button on GPIO 25, a motion sensor's interrupt of a fall on 27 (both to ground).
import machine

from board import *  # noqa: F403
from board import ticks

BUTTON = machine.Pin(25, machine.Pin.IN, machine.Pin.PULL_UP)
FALL = machine.Pin(27, machine.Pin.IN, machine.Pin.PULL_UP)
HELD_MS = 3000          # held so long, the button takes the call back
BOUNCE_MS = 40
_down = None
_fell = False


def acts():
    """What the wearer did since: "press" at the release of the button, "cancel" when it was held, "fall"."""
    global _down, _fell
    found, now = [], ticks()
    if not BUTTON():
        if _down is None:
            _down = now
    elif _down is not None:
        held, _down = now - _down, None
        if held >= BOUNCE_MS:
            found.append("cancel" if held >= HELD_MS else "press")
    if not FALL() and not _fell:
        found.append("fall")
    _fell = not FALL()
    return found


def reset():
    machine.reset()
