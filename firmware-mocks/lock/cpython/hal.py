# The lock's hardware on a PC. `state_dir` in the configuration is the flash; without it nothing survives.
import json
import os
import signal
import ssl
import sys
import time

with open(sys.argv[1]) as _file:
    _c = json.load(_file)
_memory = {}
_stop = []
for _number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(_number, lambda *_: _stop.append(1))
_started = time.monotonic()


def config():
    return _c


def ticks():
    return int((time.monotonic() - _started) * 1000)


def now_ms():
    # `clock_after_ms`: how long the device has no time after power on.
    return rate(int(time.time() * 1000)) if ticks() >= _c.get("clock_after_ms", 0) else None


def rate(ms):
    # `clock`: another time than the PC's, for tests: [its moment, the PC's moment, how many times faster], in ms.
    at, wall, speed = _c.get("clock", (0, 0, 1))
    return int(at + (ms - wall) * speed)


def motor(lock):
    return not _c.get("jam")


def battery():
    return 97


def free():
    return 120000


def sleep_ms(ms):
    time.sleep(ms / 1000)


def stop():
    return bool(_stop)


def log(text):
    print(text, file=sys.stderr, flush=True)


if "ca" in _c:
    def wrap_tls(sock, host):
        return ssl.create_default_context(cafile=_c["ca"]).wrap_socket(sock, server_hostname=host)


def _path(name):
    return os.path.join(_c["state_dir"], name) if "state_dir" in _c else None


def load(name):
    path = _path(name)
    if path is None:
        return _memory.get(name)
    try:
        with open(path) as f:
            return f.read()
    except FileNotFoundError:
        return None


def save(name, text):
    path = _path(name)
    if path is None:
        _memory[name] = text
        return
    with open(path + ".new", "w") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
    os.replace(path + ".new", path)


def append(name, text):
    path = _path(name)
    if path is None:
        _memory[name] = _memory.get(name, "") + text
        return
    with open(path, "a") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
