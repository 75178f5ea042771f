"""Event codes of SIA DC-03 (two letters) and Contact ID (three digits) as words of the vocabulary."""

HEARTBEAT = "heartbeat"


def _each(word: str, codes: str) -> dict[str, str]:
    return dict.fromkeys(codes.split(), word)


SIA: dict[str, str] = {
    **_each("alarm.manual", "MA QA PA HA"),
    **_each("alarm.cancelled", "BC FC OC"),
    **_each("smoke.detected", "FA FM KA GA SA"),
    **_each("smoke.cleared", "FH FR KH KR GH GR SH SR"),
    **_each("leak.detected", "WA"),
    **_each("leak.cleared", "WH WR"),
    **_each("intrusion.detected", "BA BM BV EA UA DF AA"),
    **_each("inactivity", "NA"),
    **_each("device.tamper", "TA TT ES XS JA"),
    **_each("device.tamper_cleared", "TR TH TJ EJ XJ JC"),
    **_each("power.lost", "AT"),
    **_each("power.restored", "AR"),
    **_each("battery.low", "YT XT YM"),
    **_each("battery.ok", "YR XR"),
    **_each(
        "device.fault", "BT FT GT HT KT MT PT QT ST UT WT ZT DT ET EM VT IA YX YU YF YP YD YI YA PF SM BD"
    ),
    **_each("device.fault", "YC YS NT NC LT XL XQ BZ FW FZ FY UY UZ YW YO YB XX RY ZA DJ DM"),
    **_each("device.ok", "BJ FJ GJ HJ KJ MJ PJ QJ SJ UJ WJ ZJ BE ER EN VR IR YZ YQ YE YJ YH PO XC"),
    **_each("device.ok", "YK NR LR XH FQ FV ZH ZR"),
    **_each("alarm_system.armed", "CA CB CC CF CG CJ CK CL CP CQ CR CS CW NF NL NM AF NB ND NE NO NP OB"),
    **_each("alarm_system.disarmed", "OA OG OH OJ OK OL OP OQ OR OS"),
    **_each("door.left_open", "DL DN"),
    **_each("door.opened", "DO OZ"),
    **_each("door.closed", "DR DH CZ"),
    **_each("lock.denied", "DD DI DK DP DQ DV DW DZ"),
    **_each("lock.locked", "DY"),
    **_each("heartbeat", "RP"),
    **_each("test", "RX TX BX FX GX VX UX FI FK TS TE TP TC"),
}
"""Words by code; a reader of the panel's own trade finds each in SIA DC-03-1990.01, annex A."""

_SILENT = (
    "AB AN AS BB BG BH BR BS BU CD CE CI CM CO CT CX DA DB DC DE DG DS DU DX EE EX EZ FB FG FL FS FU "
    "GB GS GU HB HH HR HS HU JD JH JK JL JO JP JR JS JT JV JX JY JZ KB KS KU LB LD LE LF LS LU LX MB "
    "MH MI MR MS MU NS OI OT OU OV PB PC PD PE PG PH PR PS PU QB QH QR QS QU RA RB RC RD RN RO RR RS "
    "RT RU SB SC SS SU TB TU TW TZ UB UG UH UR US UU VI VO VY VZ WB WS WU XA XE XF XI XM XW YG YN YY "
    "ZB ZS ZU ZY ZZ "
)
SILENT = frozenset(_SILENT.split())
"""Documented codes that say nothing of the vocabulary; a restored panic button is no cancelled alarm."""

_RANGES: tuple[tuple[int, int, str], ...] = (
    (100, 101, "alarm.manual"), (102, 102, "inactivity"), (103, 109, "alarm.manual"),
    (110, 119, "smoke.detected"),
    (120, 129, "alarm.manual"), (130, 136, "intrusion.detected"), (137, 137, "device.tamper"),
    (138, 140, "intrusion.detected"), (141, 143, "device.fault"), (144, 145, "device.tamper"),
    (146, 146, "intrusion.detected"), (147, 147, "device.fault"), (150, 150, "intrusion.detected"),
    (151, 151, "smoke.detected"), (152, 153, "device.fault"), (154, 154, "leak.detected"),
    (155, 161, "device.fault"), (162, 162, "smoke.detected"), (163, 169, "device.fault"),
    (200, 299, "device.fault"), (300, 300, "device.fault"), (301, 301, "power.lost"),
    (302, 302, "battery.low"),
    (303, 304, "device.fault"), (306, 308, "device.fault"), (309, 309, "battery.low"),
    (310, 310, "device.fault"),
    (311, 311, "battery.low"), (312, 340, "device.fault"), (341, 341, "device.tamper"),
    (342, 382, "device.fault"), (383, 383, "device.tamper"), (384, 384, "battery.low"),
    (385, 393, "device.fault"),
    (406, 406, "alarm.cancelled"), (421, 421, "lock.denied"), (423, 423, "intrusion.detected"),
    (425, 425, "lock.denied"), (426, 426, "door.left_open"), (427, 429, "device.fault"),
    (601, 601, "test"), (602, 603, HEARTBEAT), (604, 604, "test"), (607, 607, "test"), (608, 608, HEARTBEAT),
    (609, 609, "test"), (611, 616, "test"),
)  # fmt: skip
"""Words by Contact ID event (SIA DC-05-1999.09), from and to."""
ARMING = frozenset({400, 401, 402, 403, 404, 405, 407, 408, 409, 441, 442, 443, 450, 451, 452, 456})
"""Opening and closing: the qualifier 1 opens, 3 closes."""
CLEARED: dict[str, str] = {
    "smoke.detected": "smoke.cleared",
    "leak.detected": "leak.cleared",
    "device.tamper": "device.tamper_cleared",
    "device.fault": "device.ok",
    "power.lost": "power.restored",
    "battery.low": "battery.ok",
    "door.left_open": "door.closed",
}
"""What a restoral means; a restoral of anything else says nothing."""
NEW, RESTORED, AGAIN = 1, 3, 6


def contact_word(event: int, qualifier: int) -> tuple[str, str]:
    """Return the word of a Contact ID event, or "" and the reason why it says none; both "" if unknown."""
    if qualifier == AGAIN:
        return "", "a condition that was reported before"
    if event in ARMING:
        return ("alarm_system.disarmed" if qualifier == NEW else "alarm_system.armed"), ""
    word = next((word for first, last, word in _RANGES if first <= event <= last), "")
    if word and qualifier == RESTORED and word not in {"test", HEARTBEAT, "alarm.cancelled"}:
        return (CLEARED[word], "") if word in CLEARED else ("", "the sensor is at rest again")
    if word:
        return word, ""
    known = 305 <= event <= 305 or 400 <= event <= 699
    return "", f"Contact ID event {event} says nothing of the vocabulary" if known else ""
