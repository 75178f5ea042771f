"""What threads ask of the state for the first time, all at once."""

import subprocess
import sys

STORY = """
import sys, threading
sys.setswitchinterval(1e-6)
import msgspec
import gateway.stores.state_reader
from gateway.model.alert import Alert, AlertEntry
together = threading.Barrier(4)
def first():
    together.wait()
    for kind in (AlertEntry, Alert):
        msgspec.json.Decoder(kind)
threads = [threading.Thread(target=first) for _ in range(4)]
[one.start() for one in threads], [one.join() for one in threads]
"""


def test_the_types_of_the_state_are_known_to_the_decoder_before_any_thread_asks() -> None:
    for _ in range(6):  # a race: one process alone may be lucky
        done = subprocess.run([sys.executable, "-c", STORY], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.returncode, done.stderr)
