# Firmware of a social alarm that speaks the standard device interface, version 1, over MQTT 3.1.1.
# Written from the interface's text alone; hardware only through `hal`.
import json

import hal
import mqtt
import rfc3339
from outbox import Outbox

FIRMWARE = "1.0.0"
WINDOW = 8
NEVER_SET_MS = 946684800000
RETRY_MS = 250
DAY_MS = 86400000
BATTERY_EVERY_MS = 60000
CUT_AFTER = 5           # fault power-cut: once, when so many acknowledgements have come
WORDS = {"press": "alarm.manual", "cancel": "alarm.cancelled", "fall": "fall.detected"}
FAULTS = ("weak-battery", "wrong-clock", "repeats", "lost-acknowledgement", "power-cut")


class Reset(Exception):
    pass


class Pendant:
    def __init__(self, config):
        self.c = config
        self.faults = config.get("faults", [])
        for fault in self.faults:
            if fault not in FAULTS:
                raise ValueError("fault: found %s; allowed: %s" % (fault, ", ".join(FAULTS)))
        self.name = "%s/%s" % (config["tenant"], config["device"])
        self.base = "vaka/1/%s/" % self.name
        self.box = Outbox(hal)
        kept = json.loads(hal.load("state.txt") or "{}")
        self.revision = kept.get("revision", 0)
        self.heartbeat_s = kept.get("heartbeat_s", config.get("heartbeat_s", 300))
        self.level = kept.get("level", "ok")
        self.lives = kept.get("lives", 0) + 1
        self.percent = 8 if "weak-battery" in self.faults else None    # None: what the battery says
        self.offset_ms = DAY_MS if "wrong-clock" in self.faults else 0
        self.unset = False
        self.hand = list(config.get("hand", [])) if self.lives == 1 else []
        self.later = []                 # [moment, what a tester asked for]
        self.acks = 0
        self.boot = self.beaten = hal.ticks()
        self.measured = self.boot - BATTERY_EVERY_MS
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
        now = None if self.unset else hal.now_ms()
        if now is None:
            return rfc3339.write(NEVER_SET_MS + hal.ticks() - self.boot, 0), "unsynced"
        return rfc3339.write(now + self.offset_ms, self.c.get("offset_min", 60)), "synced"

    def event(self, kind, data):
        sequence = self.box.sequence()
        time, quality = self.time()
        self.box.put(self.base + "event", json.dumps({
            "specversion": "1.0", "id": "%s-%d" % (self.c["device"], sequence), "source": "vaka:" + self.name,
            "type": "vaka.%s.v1" % kind, "time": time, "sequence": sequence, "clockquality": quality,
            "datacontenttype": "application/json", "data": data}))

    def charge(self):
        return hal.battery() if self.percent is None else self.percent

    def status(self):
        self.client.publish(self.base + "status", json.dumps({
            "state": "online", "time": self.time()[0], "firmware": FIRMWARE, "battery": self.charge(),
            "config_revision": self.revision}), 1, True)

    # -- what happens to it

    def tick(self):
        now = hal.ticks()
        for do in hal.acts() if hasattr(hal, "acts") else ():
            self.do(do)
        while self.hand and now - self.boot >= self.hand[0]["after_ms"]:
            self.do(self.hand.pop(0)["do"])
        for entry in [entry for entry in self.later if now >= entry[0]]:
            self.later.remove(entry)
            self.carry_out(entry[1])
        if now - self.measured >= BATTERY_EVERY_MS:
            self.measured = now
            self.measure()
        if now - self.beaten >= self.heartbeat_s * 1000:
            self.beaten = now
            if self.client.sock:
                self.event("heartbeat", {"battery_percent": self.charge(), "firmware": FIRMWARE})

    def do(self, what):
        self.event(WORDS[what], {"presses": 1} if what == "press" else {})

    def measure(self):
        """A battery is told of when its level becomes another."""
        percent = self.charge()
        level = "critical" if percent <= 10 else "low" if percent <= 20 else "ok"
        if level != self.level:
            self.level = level
            self.save()
            self.event("battery." + level, {"battery_percent": percent})

    def save(self):
        hal.save("state.txt", json.dumps({
            "revision": self.revision, "heartbeat_s": self.heartbeat_s, "level": self.level, "lives": self.lives}))

    # -- what it hears

    def message(self, topic, payload):
        try:
            d = json.loads(payload)
        except ValueError:
            d = None
        if not isinstance(d, dict):
            d = {}
        if topic == self.base + "config":
            self.configure(d)
        elif topic == self.base + "command":
            self.refuse(d)
        elif topic == self.base + "test":
            self.hook(d)

    def configure(self, d):
        revision, beat = d.get("revision"), d.get("heartbeat_s", self.heartbeat_s)
        if not isinstance(revision, int) or not isinstance(beat, (int, float)) or not 1 <= beat <= 86400:
            self.event("device.fault", {"code": "config_refused"})
            return
        if revision != self.revision:
            self.revision, self.heartbeat_s = revision, beat
            self.save()
            self.status()

    def refuse(self, d):
        key = d.get("id")
        if isinstance(key, str) and 0 < len(key) <= 64:
            self.box.put(self.base + "result", json.dumps({
                "id": key, "outcome": "rejected", "reason": "do: a pendant does nothing", "time": self.time()[0]}))

    def hook(self, d):
        """A tester's hand, by the words of the interface's page; only with `test` in the configuration."""
        try:
            wait_ms = int(d.get("after_s", 0) * 1000)
            outcome = "done" if self.possible(d) else "rejected"
        except (TypeError, KeyError):
            outcome = "rejected"
        if outcome == "done":
            self.later.append([hal.ticks() + wait_ms, d])
        self.client.publish(self.base + "tested", json.dumps({"id": d.get("id"), "outcome": outcome}), 1)

    def possible(self, d):
        do = d["do"]
        if do == "event":
            return word(d["type"]) in WORDS.values() or word(d["type"]) == "heartbeat"
        if do == "battery":
            return 0 <= d["percent"] <= 100
        if do == "clock":
            return bool(d.get("unset")) or d["offset_s"] * 1000 is not None
        return do == "reset"

    def carry_out(self, d):
        if d["do"] == "event":
            kind = word(d["type"])
            self.event(kind, {"battery_percent": self.charge()} if kind == "heartbeat" else d.get("data") or {})
        elif d["do"] == "battery":
            self.percent = d["percent"]
            self.measure()
        elif d["do"] == "clock":
            self.unset, self.offset_ms = bool(d.get("unset")), int(d.get("offset_s", 0) * 1000)
        else:
            raise Reset

    # -- the link

    def acknowledged(self, key):
        if key is None:
            return
        self.acks += 1
        if "power-cut" in self.faults and self.lives == 1 and self.acks == CUT_AFTER:
            raise Reset
        if "lost-acknowledgement" in self.faults and self.acks % 2:
            for entry in self.box.waiting:
                if entry[0] == key:
                    entry[3] = False        # it never learned, so it sends it again
        else:
            self.box.done(key)

    def pump(self):
        if self.box.lost:
            n, self.box.lost = self.box.lost, 0
            self.event("device.fault", {"code": "outbox_full", "details": {"lost": n}})
        entry = self.box.next()
        while entry and len(self.client.unacked) < WINDOW:
            entry[3] = True
            self.client.publish(entry[1], entry[2], 1, False, entry[0])
            if "repeats" in self.faults:
                self.client.publish(entry[1], entry[2], 1)
            entry = self.box.next()

    def serve(self):
        self.client.connect()
        self.wait_ms = RETRY_MS
        self.status()
        branches = ["command", "config"] + (["test"] if self.c.get("test") else [])
        self.client.subscribe([self.base + branch for branch in branches])
        while not hal.stop():
            self.tick()
            self.pump()
            self.client.loop(0.05)
        self.client.disconnect()

    def rest(self, ms):
        until = hal.ticks() + ms
        while hal.ticks() < until and not hal.stop():
            self.tick()
            hal.sleep_ms(20)

    def run(self):
        """Until the power switch; "reset" after a power cut of a test."""
        self.save()
        self.event("device.online", {"code": "boot", "firmware": FIRMWARE})
        try:
            while not hal.stop():
                self.live()
        except Reset:
            self.client.close()
            if hasattr(hal, "reset"):
                hal.reset()
            return "reset"

    def live(self):
        """One connection, and the rest after it was lost."""
        try:
            self.serve()
        except (OSError, mqtt.MQTTError) as e:
            self.client.close()
            hal.log("link: %r, again in %d ms" % (e, self.wait_ms))
            self.rest(self.wait_ms)
            self.wait_ms = min(self.wait_ms * 2, self.c.get("retry_max_ms", 30000))


def word(kind):
    return kind[5:-3] if kind.startswith("vaka.") else kind
