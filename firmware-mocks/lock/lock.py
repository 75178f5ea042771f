# Firmware of a digital lock that speaks the standard device interface, version 1, over MQTT 3.1.1.
# Written from the interface's text alone; hardware only through `hal`.
import json
import sys

import hal
import mqtt
import rfc3339
from outbox import Outbox

FIRMWARE = "1.0.0"
WINDOW = 8              # events on the wire and not acknowledged
NEVER_SET_MS = 946684800000     # 2000-01-01T00:00:00Z: where a clock starts that nobody has set
COMMANDS_KEPT = 16
LOW_PERCENT = 20
RETRY_MS = 250          # the first wait after a lost link; doubled each time, up to retry_max_ms


class Lock:
    def __init__(self, config):
        self.c = config
        self.name = "%s/%s" % (config["tenant"], config["device"])
        self.base = "vaka/1/%s/" % self.name
        self.offset = config.get("offset_min", 60)
        self.box = Outbox(hal)
        kept = json.loads(hal.load("state.txt") or "{}")
        self.locked = kept.get("locked", True)
        self.revision = kept.get("revision", 0)
        self.heartbeat_s = kept.get("heartbeat_s", config.get("heartbeat_s", 300))
        self.done = kept.get("done", [])        # [command id, outcome] of the newest commands
        self.hand = list(config.get("hand", []))
        self.obeyed = 0
        self.low = False
        self.boot = hal.ticks()
        self.beaten = self.boot
        self.wait_ms = RETRY_MS
        self.client = mqtt.Client(
            hal.ticks, self.name, config["host"], config.get("port", 1883), config.get("user"),
            config.get("password"), config.get("keepalive", 30), getattr(hal, "wrap_tls", None))
        self.client.will = (
            self.base + "status", json.dumps({"state": "offline", "reason": "connection lost"}), 1, True)
        self.client.on_message = self.message
        self.client.on_ack = self.acknowledged

    # -- what it says

    def time(self):
        """The present moment as text, and whether it can be believed."""
        now = hal.now_ms()
        if now is None:
            return rfc3339.write(NEVER_SET_MS + hal.ticks() - self.boot, self.offset), "unsynced"
        return rfc3339.write(now, self.offset), "synced"

    def event(self, kind, data):
        sequence = self.box.sequence()
        time, quality = self.time()
        self.box.put(self.base + "event", json.dumps({
            "specversion": "1.0", "id": "%s-%d" % (self.c["device"], sequence), "source": "vaka:" + self.name,
            "type": "vaka.%s.v1" % kind, "time": time, "sequence": sequence, "clockquality": quality,
            "datacontenttype": "application/json", "data": data}))

    def result(self, key, outcome, reason):
        self.box.put(self.base + "result", json.dumps({
            "id": key, "outcome": outcome, "reason": reason, "time": self.time()[0]}))

    def status(self):
        self.client.publish(self.base + "status", json.dumps({
            "state": "online", "time": self.time()[0], "firmware": FIRMWARE, "battery": self.charge(),
            "config_revision": self.revision}), 1, True)

    # -- what it does

    def turn(self, lock, means):
        """Turn the bolt; the state is written before it is told."""
        if not hal.motor(lock):
            self.event("lock.jammed", {"means": means})
            return False
        self.locked = lock
        self.save()
        self.event("lock.locked" if lock else "lock.unlocked", {"means": means})
        return True

    def save(self):
        hal.save("state.txt", json.dumps({
            "locked": self.locked, "revision": self.revision, "heartbeat_s": self.heartbeat_s,
            "done": self.done}))

    def tick(self):
        """What happens by itself, link or no link."""
        now = hal.ticks()
        if now - self.beaten >= self.heartbeat_s * 1000:
            self.beaten = now
            self.weigh()
            if self.client.sock:
                self.event("heartbeat", {"battery_percent": self.charge(), "firmware": FIRMWARE,
                                         "details": {"free_bytes": hal.free()}})
        while self.hand and now - self.boot >= self.hand[0]["after_ms"]:
            do = self.hand.pop(0)["do"]
            self.turn(do == "lock", "inside_knob")
        if "orders" in self.c:
            self.orders()

    def charge(self):
        """The battery in percent; a tester may have said another one."""
        return self.c.get("charge", hal.battery())

    def weigh(self):
        """Tell once that the battery has become low, and once that it is well again."""
        low = self.charge() <= LOW_PERCENT
        if low != self.low:
            self.low = low
            self.event("battery.low" if low else "battery.ok", {"battery_percent": self.charge()})

    def orders(self):
        """What a tester has done to the lock since: whole lines of a file, each obeyed once."""
        lines = (hal.load(self.c["orders"]) or "").split("\n")[:-1]
        for do in lines[self.obeyed:]:
            if do.startswith("charge "):
                self.c["charge"] = int(do[7:])
                self.weigh()
                continue
            if do in ("jam", "free"):
                self.c["jam"] = do == "jam"
            self.turn(do != "unlock", "automatic" if do == "jam" else "inside_knob")
        self.obeyed = len(lines)

    # -- what it hears

    def message(self, topic, payload):
        try:
            d = json.loads(payload)
        except ValueError:
            d = None
        if not isinstance(d, dict):
            d = {}
        if topic == self.base + "command":
            self.command(d)
        elif topic == self.base + "config":
            self.configure(d)

    def command(self, d):
        key, do = d.get("id"), d.get("do")
        if not isinstance(key, str) or not 0 < len(key) <= 64:
            self.result(None, "rejected", "a command needs an id of at most 64 characters")
            return
        for known, outcome in self.done:
            if known == key:            # sent again: carried out once, answered as often as asked
                self.result(key, outcome, "answered before")
                return
        outcome, reason = self.obey(do, d.get("expires"))
        self.done = (self.done + [[key, outcome]])[-COMMANDS_KEPT:]
        self.save()
        self.result(key, outcome, reason)

    def obey(self, do, expires):
        if do not in ("lock", "unlock"):
            return "rejected", "do: lock or unlock"
        try:
            until = rfc3339.read(expires)
        except (ValueError, IndexError):
            return "rejected", "expires: RFC 3339 with offset"
        now = hal.now_ms()
        if now is None:
            return "rejected", "the clock is not set, so the expiry cannot be judged"
        if now >= until:
            return "expired", "it came after its expiry"
        if do == "unlock" and not self.c.get("unlock_without_grant"):
            return "rejected", "this lock cannot verify a grant"
        if not self.turn(do == "lock", "remote"):
            return "failed", "the bolt is jammed"
        return "done", ""

    def configure(self, d):
        revision, beat = d.get("revision"), d.get("heartbeat_s", self.heartbeat_s)
        if not isinstance(revision, int) or not isinstance(beat, (int, float)) or not 1 <= beat <= 86400:
            self.event("device.fault", {"code": "config_refused"})
            return
        if revision != self.revision:
            self.revision, self.heartbeat_s = revision, beat
            self.save()
        self.status()

    # -- the link

    def acknowledged(self, key):
        if key is not None:
            self.box.done(key)

    def pump(self):
        """Hand events to the link, oldest first, as many as may be under way."""
        if self.box.lost:
            n, self.box.lost = self.box.lost, 0
            self.event("device.fault", {"code": "outbox_full", "details": {"lost": n}})
        entry = self.box.next()
        while entry and len(self.client.unacked) < WINDOW:
            entry[3] = True
            self.client.publish(entry[1], entry[2], 1, False, entry[0])
            entry = self.box.next()

    def serve(self):
        """Connected: until the link breaks (an exception) or the power switch is turned off (return)."""
        self.client.connect()
        self.wait_ms = RETRY_MS
        self.status()
        self.client.subscribe([self.base + "command", self.base + "config"])
        while not hal.stop():
            self.tick()
            self.pump()
            self.client.loop(0.05)
        self.client.disconnect()

    def rest(self, ms):
        """Wait without a link; life goes on, and the power switch works."""
        until = hal.ticks() + ms
        while hal.ticks() < until and not hal.stop():
            self.tick()
            hal.sleep_ms(20)

    def run(self):
        self.event("device.online", {"code": "boot", "firmware": FIRMWARE,
                                     "details": {"vm": sys.implementation.name}})
        while not hal.stop():
            try:
                self.serve()
            except (OSError, mqtt.MQTTError) as e:
                self.client.close()
                hal.log("link: %r, again in %d ms" % (e, self.wait_ms))
                self.rest(self.wait_ms)
                self.wait_ms = min(self.wait_ms * 2, self.c.get("retry_max_ms", 30000))
