# Events until they are acknowledged: in order, over a lost link and over a power cut.
# One line a message in flash; the file is emptied when nothing waits any more, so that it is rarely written.
# After a power cut an acknowledged message may be sent once more: its id is the same, so it is one event.
import json

NAME = "outbox.txt"
LIMIT = 300         # messages; beyond it the oldest heartbeat goes, else the oldest message, and it is told
RESERVE = 100       # sequence numbers written ahead, so that none is used twice after a power cut


class Outbox:
    def __init__(self, hal):
        self.hal = hal
        self.waiting = []           # [key, topic, payload, sent]
        self.lost = 0
        self._key = 0
        self._sequence = int(hal.load("sequence.txt") or 0)
        self._reserved = self._sequence
        kept = hal.load(NAME) or ""
        for line in kept.split("\n"):
            try:
                topic, payload = json.loads(line)
            except (ValueError, TypeError):
                continue            # the last line of a power cut
            self._add(topic, payload)
        if kept and kept[-1] != "\n":
            self._write()           # else the next message would be written behind the piece of a line

    def sequence(self):
        """The next number; never used before."""
        self._sequence += 1
        if self._sequence > self._reserved:
            self._reserved = self._sequence + RESERVE
            self.hal.save("sequence.txt", str(self._reserved))
        return self._sequence

    def put(self, topic, payload):
        """Keep a message: in flash first, then in the queue."""
        self.hal.append(NAME, json.dumps([topic, payload]) + "\n")
        self._add(topic, payload)
        if len(self.waiting) > LIMIT:
            self._drop()

    def next(self):
        """The first message that was not handed to the link, or None."""
        for entry in self.waiting:
            if not entry[3]:
                return entry
        return None

    def done(self, key):
        """It is on the gateway's disk: forget it."""
        self.waiting = [entry for entry in self.waiting if entry[0] != key]
        if not self.waiting:
            self.hal.save(NAME, "")

    def _add(self, topic, payload):
        self._key += 1
        self.waiting.append([self._key, topic, payload, False])

    def _drop(self):
        self.lost += 1
        for n, entry in enumerate(self.waiting):
            if not entry[3] and "vaka.heartbeat.v1" in entry[2]:
                del self.waiting[n]
                break
        else:
            for n, entry in enumerate(self.waiting):
                if not entry[3]:
                    del self.waiting[n]
                    break
        self._write()

    def _write(self):
        self.hal.save(NAME, "".join(json.dumps([e[1], e[2]]) + "\n" for e in self.waiting))
