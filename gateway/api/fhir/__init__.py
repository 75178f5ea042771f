"""The FHIR R4 facade: read, search, export, and what it can do, below /fhir."""
