"""Run the lock under CPython: python cpython/run.py CONFIG.json"""
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
lock = os.path.dirname(here)
sys.path[:0] = [here, lock, os.path.join(os.path.dirname(lock), "micropython-common")]

import main  # noqa: F401
