"""What a Shelly message must be to be read; the vendor's document has no numbered clauses."""

CLAUSES: dict[str, str] = {
    "SH-TOPIC": "The topic is {id}/events/rpc, {id}/status/{component} or {id}/online.",
    "SH-JSON": "The payload is one JSON object.",
    "SH-FIELD": "The fields that are read have the types and limits of the vendor's document.",
    "SH-METHOD": "A notification's method is NotifyStatus, NotifyFullStatus or NotifyEvent.",
    "SH-ONLINE": "The last will and its counterpart are true or false.",
}
"""Every clause by its id."""
