"""Run the pendant under CPython: python run.py CONFIG.json [FAULT...]"""
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
mocks = os.path.dirname(here)
sys.path[:0] = [here, os.path.join(mocks, "micropython-common"), os.path.join(mocks, "lock", "cpython")]

import hal

if sys.argv[2:]:
    hal.config()["faults"] = sys.argv[2:]

import main  # noqa: F401
