# The lock's hardware on an ESP32: bolt motor on GPIO 26/27, end switches on 32/33; the rest is the board's.
import time

import machine

from board import *  # noqa: F403

MOTOR_OUT, MOTOR_IN = machine.Pin(26, machine.Pin.OUT, value=0), machine.Pin(27, machine.Pin.OUT, value=0)
IS_OUT = machine.Pin(32, machine.Pin.IN, machine.Pin.PULL_UP)
IS_IN = machine.Pin(33, machine.Pin.IN, machine.Pin.PULL_UP)
TURN_MS = 1500          # a bolt that has not arrived by then is jammed


def motor(lock):
    drive, arrived = (MOTOR_OUT, IS_OUT) if lock else (MOTOR_IN, IS_IN)
    started = ticks()
    drive(1)
    while arrived() and ticks() - started < TURN_MS:
        time.sleep_ms(5)
    drive(0)
    return not arrived()
