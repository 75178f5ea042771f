# The lock's hardware in the MicroPython wasm build; the host (host.mjs) carries time, files and the switch.
import gc
import json

import _host

_c = json.loads(_host.config())
_started = int(_host.ticks())
BUDGET = 120000     # bytes that a bare ESP32 leaves to Python, about


def config():
    return _c


def ticks():
    return int(_host.ticks()) - _started


def now_ms():
    return rate(int(_host.now())) if ticks() >= _c.get("clock_after_ms", 0) else None


def rate(ms):
    # `clock`: another time than the PC's, for tests: [its moment, the PC's moment, how many times faster], in ms.
    at, wall, speed = _c.get("clock", (0, 0, 1))
    return int(at + (ms - wall) * speed)


def motor(lock):
    return not _c.get("jam")


def battery():
    return 97


def free():
    gc.collect()
    return BUDGET - gc.mem_alloc()


def sleep_ms(ms):
    _host.sleep(ms)


def stop():
    return bool(_host.stop())


def log(text):
    _host.log(text)


def load(name):
    text = _host.load(name)
    return text if isinstance(text, str) else None


def save(name, text):
    _host.save(name, text)


def append(name, text):
    _host.append(name, text)
