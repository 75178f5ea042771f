"""SIA DC-09: the lines of alarm panels, with SIA-DCS or Contact ID inside."""

from adapters.sia.codec import SiaAdapter
from adapters.sia.line import CLAUSES

ADAPTER = SiaAdapter()

__all__ = ["ADAPTER", "CLAUSES", "SiaAdapter"]
