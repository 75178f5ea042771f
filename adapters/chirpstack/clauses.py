"""What an event of the network must be to be read; the document has no numbered clauses."""

CLAUSES: dict[str, str] = {
    "CS-TOPIC": "The topic is application/{id}/device/{devEui}/event/{event}, or an event names its device.",
    "CS-JSON": "The payload is one JSON object: the JSON marshaler is set, not Protobuf.",
    "CS-FIELD": "The fields that are read have the types and limits of the network's document.",
    "CS-EVENT": "The event is one of up, status, join, ack, txack, log, error, location or integration.",
    "CS-DATA": "The payload of an uplink is Base64 or hexadecimal.",
    "CS-PAYLOAD": "The bytes of an uplink are those that the product's document describes.",
}
"""Every clause by its id."""
