"""What an OwnTracks message must be to be read; the vendor's document has no numbered clauses."""

CLAUSES: dict[str, str] = {
    "OT-TOPIC": "The topic is owntracks/{user}/{device}, with at most one level more.",
    "OT-JSON": "The payload is one JSON object in UTF-8.",
    "OT-TYPE": "_type is one of the documented types.",
    "OT-ENCRYPTED": "The payload is not encrypted: no secret key is set in the app.",
    "OT-FIELD": "The fields have their documented types and possible values.",
    "OT-TIME": "tst is a Unix time in seconds.",
}
"""Every clause by its id."""
