"""OwnTracks: a telephone or a tracker as a position device."""

from adapters.owntracks.clauses import CLAUSES
from adapters.owntracks.codec import OwnTracksAdapter

ADAPTER = OwnTracksAdapter()

__all__ = ["ADAPTER", "CLAUSES", "OwnTracksAdapter"]
