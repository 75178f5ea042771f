"""What an ESPHome message must be to be read; the vendor's document has no numbered clauses."""

CLAUSES: dict[str, str] = {
    "ESP-TOPIC": "The topic is {prefix}/{component}/{object}/state or {prefix}/status.",
    "ESP-STATUS": "The status is online or offline.",
    "ESP-STATE": "The state is one of those that the component has.",
    "ESP-EVENT": "An event is a JSON object with event_type.",
}
"""Every clause by its id."""
