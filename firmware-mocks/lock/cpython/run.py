"""Run the lock under CPython: python cpython/run.py CONFIG.json"""
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.dirname(here)]

import main  # noqa: F401
