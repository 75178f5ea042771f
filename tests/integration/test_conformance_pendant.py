"""The pendant, one source for a board, Node and CPython, held by the kit through its hook over MQTT."""

from pathlib import Path

from gateway.conformance.verdict import Verdict
from tests.integration.conformance_kit import PASSWORD, kit
from tests.integration.test_firmware_mocks_pendant import pendant

DECLARATION = f"""
[device]
vendor = "Exempel AB"
product = "mock pendant"
firmware = "1.0.0"
kind = "social_alarm"
[connection]
tenant = "demo"
device = "pendant-900"
username = "demo/pendant-900"
password = "{PASSWORD}"
[pics]
mqtt = ["3.1.1"]
events = ["alarm.manual", "alarm.cancelled", "fall.detected", "heartbeat", "device.online", "device.fault", "battery.low", "battery.ok"]
config = ["heartbeat_s"]
battery = true
offline_events = 100
clock_setting = true
[pixit]
reconnect_s = 3
resend_s = 2
operate_s = 3
boot_s = 10
command_s = 3
margin_s = 2
operated = ["alarm.manual", "alarm.cancelled", "fall.detected"]
[tester]
by = "mqtt"
"""  # noqa: E501 - a list stands on one line


def test_the_pendant_passes_every_must_clause(tmp_path: Path) -> None:
    declaration = tmp_path / "device.toml"
    declaration.write_text(DECLARATION)
    with kit(tmp_path, declaration) as one:
        login = {"user": "demo/pendant-900", "password": PASSWORD}
        with pendant("cpython", tmp_path, one.port, **login):
            report = one.report(300)
    wrong = {
        one.id: (one.verdict.value, one.reason)
        for one in report.clauses
        if one.level == "must" and one.verdict not in {Verdict.PASS, Verdict.NOT_APPLICABLE}
    }
    assert wrong == {}
    assert report.verdict is Verdict.PASS
