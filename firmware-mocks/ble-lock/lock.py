"""A digital lock over Bluetooth LE: python ble-lock/lock.py CONFIG.json [--fault NAME]"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "ble-common"))

from device import main  # noqa: E402


class Lock:
    about = ("Vaka mocks", "Bolt B1", "1.0.0")
    commands = ("lock", "unlock")

    def __init__(self, flash):
        self.flash, self.jammed = flash, False
        self.words = {
            "vaka.lock.locked.v1": lambda data: self.turn(True, data.get("means", "inside_knob")),
            "vaka.lock.unlocked.v1": lambda data: self.turn(False, data.get("means", "inside_knob")),
            "vaka.lock.jammed.v1": lambda data: self.jam(True)}
        self.words |= {word[5:-3]: act for word, act in self.words.items()}

    def turn(self, lock, means):
        """Turn the bolt; where it stands is written before it is told."""
        if self.jammed:
            self.event("lock.jammed", {"means": means})
            return False
        self.flash.save("locked", lock)
        self.event("lock.locked" if lock else "lock.unlocked", {"means": means})
        return True

    def jam(self, jammed):
        self.jammed = jammed
        if jammed:
            self.turn(True, "automatic")

    def obey(self, do):
        return ("done", "") if self.turn(do == "lock", "remote") else ("failed", "the bolt is jammed")


if __name__ == "__main__":
    main(Lock)
