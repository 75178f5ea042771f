"""What a message that Traccar forwards must be to be read; the vendor's document has no numbered clauses."""

CLAUSES: dict[str, str] = {
    "TC-TOPIC": "The channel is traccar/{anything}.",
    "TC-JSON": "The payload is one JSON object with `event`, `position` or both.",
    "TC-FIELD": "The fields have the types of Traccar's model and values that the Earth allows.",
    "TC-DEVICE": "The message names a device: device.uniqueId, or the internal number.",
    "TC-TYPE": "event.type is a type of Traccar's model.",
    "TC-TIME": "A time is ISO 8601 with its offset, or Unix milliseconds.",
}
"""Every clause by its id."""
