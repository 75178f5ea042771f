"""Ways to drive a scenario: in process at any level, over real MQTT at chosen speed, and by hand."""
