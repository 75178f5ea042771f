"""A table of devices is read whole, or every fault of it is told with its place."""

import pytest

from gateway.contract import ConfigurationError
from gateway.model.registry import Registry
from gateway.model.vocabulary import DeviceKind
from gateway.onboarding.table import Known, read_table
from tests.unit.pipeline.town import START, document

KNOWN = Known(Registry(document()), frozenset({"vaka", "nuki"}), START)
HEAD = "id,adapter,native_id,kind,home,person,place,supervised,heartbeat_s\n"


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as found:
        read_table("box.csv", text, KNOWN)
    return str(found.value).splitlines()


def test_a_table_gives_devices_with_their_enrolments() -> None:
    text = (
        HEAD + "flat/door,nuki,11AA,lock,h1,p1,entrance_door,no,3600\nflat/sos,vaka,t/s,social_alarm,h1,,,,\n"
    )
    door, sos = read_table("box.csv", text, KNOWN)
    assert (door.device.kind, door.device.tenant, door.device.native_id) == (DeviceKind.LOCK, "t", "11AA")
    assert (door.enrolment.role, door.enrolment.supervised) == ("entrance_door", False)
    assert (door.enrolment.heartbeat_s, door.enrolment.since) == (3600, START)
    assert (sos.enrolment.person, sos.enrolment.supervised, sos.enrolment.heartbeat_s) == (None, True, None)


def test_semicolons_and_a_mark_of_byte_order_are_read() -> None:
    text = "\ufeff" + HEAD.replace(",", ";") + "a;nuki;1;lock;h1;;;;\n"
    assert read_table("box.csv", text, KNOWN)[0].device.id == "a"


def test_every_bad_line_is_told_with_file_line_column_found_and_allowed() -> None:
    bad = "x y,none,AABBCC99,window,h9,p1,,maybe,-1\nb,nuki,AABBCC99,lock,h1,p9,,,\nb,nuki\n"
    told = faults(HEAD + bad)
    assert "box.csv: line 2, column 2 (adapter): found 'none'; allowed: nuki, vaka" in told
    assert any(one.startswith("box.csv: line 2, column 1 (id): found 'x y'; allowed:") for one in told)
    assert any(one.startswith("box.csv: line 3, column 3 (native_id): found 'AABBCC99'") for one in told)
    assert "box.csv: line 4: found 2 cells; allowed: 9, as the heading has" in told
    assert any("(supervised): found 'maybe'; allowed: yes or no" in one for one in told)
    assert len(told) == 10


def test_the_same_device_twice_in_a_table_is_told() -> None:
    told = faults(HEAD + "a,nuki,1,lock,h1,,,,\na,nuki,1,lock,h1,,,,\n")
    assert [one.partition(" found")[0] for one in told] == [
        "box.csv: line 3, column 1 (id):",
        "box.csv: line 3, column 3 (native_id):",
    ]


@pytest.mark.parametrize("text", ["", "id\n", HEAD, "id,id,colour\na,b,c\n", '"unclosed', HEAD + '"a"b,c\n'])
def test_what_is_no_table_of_devices_is_told_in_lines(text: str) -> None:
    assert all(one.startswith("box.csv: ") for one in faults(text))


@pytest.mark.parametrize("number", ["nan", "inf", "1e99", "soon"])
def test_a_heartbeat_that_is_no_time_is_told(number: str) -> None:
    (told,) = faults(HEAD + f"a,nuki,1,lock,h1,,,,{number}\n")
    assert "column 9 (heartbeat_s)" in told
