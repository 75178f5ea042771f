"""The walk of one frame, step by step: pure, no I/O, no clock, no randomness."""
