"""The FHIR R4 facade: read, search, capabilities and bulk export over what the gateway knows."""
