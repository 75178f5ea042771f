"""What a Tasmota message must be to be read; the vendor's document has no numbered clauses."""

CLAUSES: dict[str, str] = {
    "TAS-TOPIC": "The topic is tele/{topic}/{part}, stat/{topic}/{part} or tasmota/discovery/{mac}/{part}.",
    "TAS-LWT": "The last will and its counterpart are Online or Offline.",
    "TAS-JSON": "The payload of STATE, SENSOR, RESULT and discovery is one JSON object.",
    "TAS-FIELD": "The fields that are read have the types and limits of the vendor's document.",
}
"""Every clause by its id."""
