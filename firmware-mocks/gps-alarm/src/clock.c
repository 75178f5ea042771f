#include "gps.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool unset;
static double offset_s;
static int64_t base_mono;
#define Y2000 946684800000LL

static int64_t read_clock(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t mono_ms(void) { return read_clock(CLOCK_BOOTTIME); }

int64_t device_ms(void)
{
	if (fault == FAULT_WRONG_CLOCK && !unset)
		return read_clock(CLOCK_REALTIME) + 3600000;
	if (unset)
		return Y2000 + mono_ms() - base_mono;
	return read_clock(CLOCK_REALTIME) + (int64_t)(offset_s * 1000);
}

/* The receiver's GNSS time is held against the clock: one that is wrong by more than 2 s is not called synced. */
bool clock_synced(void)
{
	return !unset && (fault == FAULT_WRONG_CLOCK || fabs(offset_s) <= 2);
}

void clock_restore(bool is_unset, double by_s, int64_t base)
{
	unset = is_unset;
	offset_s = by_s;
	base_mono = base;
}

void clock_set(bool is_unset, double by_s)
{
	clock_restore(is_unset, by_s, mono_ms());
	state.clock_unset = is_unset;
	state.clock_offset_s = by_s;
	state_save();
	status_due = true;
}

void time_text(int64_t ms, char *out, size_t size)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	gmtime_r(&s, &tm);
	char date[32];
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, size, "%s.%03dZ", date, (int)(ms % 1000));
}

static bool digits(const char **p, int n, int *value)
{
	*value = 0;
	for (; n; n--, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		*value = *value * 10 + **p - '0';
	}
	return true;
}

bool time_parse(const char *p, int64_t *ms)
{
	struct tm tm = {0};
	int y, mo, d, h, mi, s, oh, om, sign, milli = 0;
	if (!digits(&p, 4, &y) || *p++ != '-' || !digits(&p, 2, &mo) || *p++ != '-' || !digits(&p, 2, &d))
		return false;
	if ((*p != 'T' && *p != 't') || (p++, !digits(&p, 2, &h)) || *p++ != ':' || !digits(&p, 2, &mi) || *p++ != ':' ||
	    !digits(&p, 2, &s))
		return false;
	if (mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59 || s > 60)
		return false;
	if (*p == '.') {
		int scale = 100, n = 0;
		for (p++; *p >= '0' && *p <= '9'; p++, n++, scale /= 10)
			milli += (*p - '0') * scale;
		if (!n)
			return false;
	}
	tm.tm_year = y - 1900, tm.tm_mon = mo - 1, tm.tm_mday = d, tm.tm_hour = h, tm.tm_min = mi, tm.tm_sec = s;
	int64_t at = (int64_t)timegm(&tm);
	if (tm.tm_mday != d)
		return false;
	if (*p == 'Z' || *p == 'z') {
		p++;
	} else if (*p == '+' || *p == '-') {
		sign = *p++ == '+' ? 1 : -1;
		if (!digits(&p, 2, &oh) || *p++ != ':' || !digits(&p, 2, &om) || oh > 23 || om > 59)
			return false;
		at -= sign * (oh * 3600 + om * 60);
	} else {
		return false;
	}
	*ms = at * 1000 + milli;
	return *p == 0;
}

bool utf8_ok(const char *bytes, size_t len)
{
	const unsigned char *b = (const unsigned char *)bytes;
	for (size_t i = 0; i < len;) {
		uint32_t c = b[i++], least;
		int more;
		if (c == 0)
			return false;
		if (c < 0x80)
			continue;
		if (c >= 0xc2 && c < 0xe0)
			more = 1, least = 0x80, c &= 0x1f;
		else if (c >= 0xe0 && c < 0xf0)
			more = 2, least = 0x800, c &= 0x0f;
		else if (c >= 0xf0 && c < 0xf5)
			more = 3, least = 0x10000, c &= 0x07;
		else
			return false;
		for (; more; more--, i++) {
			if (i >= len || (b[i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (b[i] & 0x3f);
		}
		if (c < least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			return false;
	}
	return true;
}
