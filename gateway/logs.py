"""Logs: one line a record to standard error, in every process alike."""

import logging
import os

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def set_up_logging(default: str = "INFO") -> None:
    """Log one line a record to standard error; VAKA_LOG sets the level."""
    level = os.environ.get("VAKA_LOG", default).upper()
    logging.basicConfig(
        level=level if level in logging.getLevelNamesMapping() else default,
        format=FORMAT,
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
