# What every board of the mocks has: Wi-Fi, clock, TLS, flash, watchdog, a battery on ADC 34.
import gc
import json
import os
import ssl
import time

import machine
import network
import ntptime

CELL = machine.ADC(machine.Pin(34), atten=machine.ADC.ATTN_11DB)
EMPTY_UV, FULL_UV = 1000000, 1500000    # of one cell behind the divider
SYNC_EVERY_MS = 6 * 3600 * 1000
WATCHDOG = machine.WDT(timeout=30000)
TO_1970_S = 946684800 if time.gmtime(0)[0] == 2000 else 0

with open("config.json") as _file:
    _c = json.load(_file)
_last, _ticks = time.ticks_ms(), 0
_synced_at = None
_tried_at = None


def config():
    _wifi()
    return _c


def ticks():
    # Milliseconds since power on that do not wrap, as long as it is asked at least once in six days.
    global _last, _ticks
    now = time.ticks_ms()
    _ticks += time.ticks_diff(now, _last)
    _last = now
    return _ticks


def _wifi():
    w = network.WLAN(network.STA_IF)
    if not w.active():
        w.active(True)
    if not w.isconnected():
        try:
            w.connect(_c["wifi_ssid"], _c["wifi_password"])
        except OSError:
            pass        # it is trying already
    return w.isconnected()


def now_ms():
    global _synced_at, _tried_at
    due = _synced_at is None or ticks() - _synced_at > SYNC_EVERY_MS
    if due and (_tried_at is None or ticks() - _tried_at > 60000) and _wifi():
        _tried_at = ticks()
        try:
            ntptime.settime()
            _synced_at = ticks()
        except OSError:
            pass
    return None if _synced_at is None else (time.time() + TO_1970_S) * 1000


if "ca" in _c:          # a file in DER form on the board
    def wrap_tls(sock, host):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_mode = ssl.CERT_REQUIRED
        with open(_c["ca"], "rb") as f:
            context.load_verify_locations(f.read())
        return context.wrap_socket(sock, server_hostname=host)


def battery():
    share = (CELL.read_uv() - EMPTY_UV) * 100 // (FULL_UV - EMPTY_UV)
    return max(0, min(100, share))


def free():
    gc.collect()
    return gc.mem_free()


def sleep_ms(ms):
    time.sleep_ms(ms)
    _wifi()


def stop():
    WATCHDOG.feed()
    return False


def log(text):
    print(text)


def load(name):
    try:
        with open(name) as f:
            return f.read()
    except OSError:
        return None


def save(name, text):
    with open(name + ".new", "w") as f:
        f.write(text)
    os.rename(name + ".new", name)


def append(name, text):
    with open(name, "a") as f:
        f.write(text)
