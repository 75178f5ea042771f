"""The gateway: device frames in, what a person must know decided, and kept at until somebody answers."""
