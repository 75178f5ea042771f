"""What a Zigbee2MQTT message must be to be read; the vendor's document has no numbered clauses."""

CLAUSES: dict[str, str] = {
    "Z2M-TOPIC": "The topic is {base}/{friendly name} or {base}/bridge/{part}, every level filled.",
    "Z2M-EMPTY": "A device's message is not empty.",
    "Z2M-JSON": "A device's message is one JSON object (output type json).",
    "Z2M-FIELD": "The fields that are read have the types and limits of the device's exposes.",
    "Z2M-BRIDGE": "bridge/devices and bridge/event have the form of the vendor's document.",
    "Z2M-STATE": "The state of the bridge and an availability is online or offline, plain or as JSON.",
    "Z2M-TIME": "last_seen is RFC 3339 or a Unix time in milliseconds.",
}
"""Every clause by its id."""
