# Times as the interface writes them, with whole numbers only: most boards have 32-bit floats, and their
# time.gmtime() counts from 2000 on some ports and from 1970 on others.

DAY_MS = 86400000


def _days(y, m, d):
    # Days since 1970-01-01 of a date of the Gregorian calendar; the year is taken to begin in March.
    if m <= 2:
        y -= 1
    era = y // 400
    yoe = y - era * 400
    doy = (153 * (m + (-3 if m > 2 else 9)) + 2) // 5 + d - 1
    return era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468


def _date(days):
    days += 719468
    era = days // 146097
    doe = days - era * 146097
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    m = mp + (3 if mp < 10 else -9)
    return yoe + era * 400 + (1 if m <= 2 else 0), m, doy - (153 * mp + 2) // 5 + 1


def write(ms, offset_min):
    """Milliseconds since 1970 (UTC) -> 2026-11-22T19:02:11.120+01:00."""
    ms += offset_min * 60000
    y, mo, d = _date(ms // DAY_MS)
    t = ms % DAY_MS
    sign = "-" if offset_min < 0 else "+"
    off = abs(offset_min)
    return "%04d-%02d-%02dT%02d:%02d:%02d.%03d%s%02d:%02d" % (
        y, mo, d, t // 3600000, t // 60000 % 60, t // 1000 % 60, t % 1000, sign, off // 60, off % 60)


def read(text):
    """RFC 3339 with offset -> milliseconds since 1970 (UTC); ValueError for anything else."""
    if not isinstance(text, str) or len(text) < 20 or text[10] not in "Tt ":
        raise ValueError("time")
    days = _days(int(text[0:4]), int(text[5:7]), int(text[8:10]))
    ms = days * DAY_MS + int(text[11:13]) * 3600000 + int(text[14:16]) * 60000 + int(text[17:19]) * 1000
    rest = text[19:]
    if rest[0] == ".":
        n = 1
        while n < len(rest) and rest[n] in "0123456789":
            n += 1
        if n == 1:
            raise ValueError("time")
        ms += int((rest[1:n] + "00")[:3])
        rest = rest[n:]
    if rest in ("Z", "z"):
        return ms
    if len(rest) != 6 or rest[0] not in "+-" or rest[3] != ":":
        raise ValueError("time needs an offset")
    off = int(rest[1:3]) * 60 + int(rest[4:6])
    return ms - (off if rest[0] == "+" else -off) * 60000
