"""A medication dispenser over Bluetooth LE: python ble-dispenser/dispenser.py CONFIG.json [--fault NAME]"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "ble-common"))

from device import main  # noqa: E402

WORDS = ("reminded", "dispensed", "taken", "missed", "retracted")


class Dispenser:
    about = ("Vaka mocks", "Carousel C1", "1.0.0")
    commands = ()

    def __init__(self, flash):
        self.jammed = False
        self.words = {"medication.jam": lambda data: self.jam(True), "medication.jam_cleared": lambda data: self.jam(False)}
        for word in WORDS:
            self.words["medication." + word] = lambda data, word=word: self.dose(word, data)
        self.words |= {"vaka.%s.v1" % word: act for word, act in self.words.items()}

    def dose(self, word, data):
        """A dose is due, given, taken or missed; a jammed one is neither given nor taken, but missed."""
        told = {key: data[key] for key in ("dose", "due_at", "window_min") if key in data}
        if self.jammed and word in ("dispensed", "taken"):
            word = "missed"
        self.event("medication." + word, told)

    def jam(self, jammed):
        self.jammed = jammed
        self.event("medication.jam" if jammed else "medication.jam_cleared", {})


if __name__ == "__main__":
    main(Dispenser)
