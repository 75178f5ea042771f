"""VKP: FHIR bundles of medication dispensers, supervision and localisation in the Norwegian shape."""

from adapters.vkp.bundle import CLAUSES
from adapters.vkp.codec import VkpAdapter

ADAPTER = VkpAdapter()

__all__ = ["ADAPTER", "CLAUSES", "VkpAdapter"]
