"""What a discovery message must be to be read; the vendor's document has no numbered clauses."""

CLAUSES: dict[str, str] = {
    "HA-TOPIC": "The topic is homeassistant/{component}/[{node}/]{object}/config, or a state beneath it.",
    "HA-JSON": "A configuration is one JSON object.",
    "HA-FIELD": "The fields that are read have the types of the vendor's document.",
    "HA-DEVICE": "A device configuration has its components under `components` or `cmps`.",
    "HA-TEMPLATE": "A value template is {{ value }} or a path into {{ value_json }}, with known filters.",
    "HA-STATE": "The state is one that the component has, and the template finds it.",
}
"""Every clause by its id."""
