"""What a Nuki message must be to be read; numbers are sections of the MQTT API 1.5 where it has them."""

CLAUSES: dict[str, str] = {
    "NUKI-TOPIC": "The topic is nuki/{id in hexadecimal}/{topic}, or {base}/... of Nuki Hub.",
    "NUKI-EVENT": "lockActionEvent is action, trigger, auth-id, code-id and one number more, with commas.",
    "NUKI-3.3": "state is a documented lock state.",
    "NUKI-3.4": "The first field of lockActionEvent is a documented lock action.",
    "NUKI-DOOR": "doorsensorState is a documented door sensor state.",
    "NUKI-VALUE": "Truths are true or false, charges whole percents.",
    "NUKI-HUB-JSON": "{base}/lock/json and {base}/battery/json are JSON objects of the documented fields.",
    "NUKI-HUB-STATE": "lock_state and mqttConnectionState have documented values.",
}
"""Every clause by its id."""
