"""The common model as HL7 FHIR R4 (4.0.1) resources: plain JSON values, pure ([docs/fhir.md])."""
