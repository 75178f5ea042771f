"""Alert tags: a key to press, a beep to find it by, a link that can be lost."""

from adapters.alerttag.codec import CLAUSES, AlertTagAdapter

ADAPTER = AlertTagAdapter()

__all__ = ["ADAPTER", "CLAUSES", "AlertTagAdapter"]
