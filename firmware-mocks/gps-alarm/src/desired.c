#include "gps.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int desired_heartbeat_s, desired_position_s;
int64_t desired_revision;
bool status_due;

static bool is_number(const cJSON *o, const char *key, bool whole, double least, double most, bool needed)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);
	if (!item)
		return !needed;
	return cJSON_IsNumber(item) && item->valuedouble >= least && item->valuedouble <= most &&
	       (!whole || floor(item->valuedouble) == item->valuedouble);
}

static bool is_text(const cJSON *o, const char *key, bool needed)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);
	if (!item)
		return !needed;
	if (!cJSON_IsString(item))
		return false;
	size_t n = 0;
	for (const char *p = item->valuestring; *p; p++)
		n += (*p & 0xc0) != 0x80;
	return n <= 128;
}

static bool is_at(const cJSON *o)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, "at");
	int h, m, end = 0;
	return cJSON_IsString(item) && strlen(item->valuestring) == 5 &&
	       sscanf(item->valuestring, "%2d:%2d%n", &h, &m, &end) == 2 && end == 5 && h >= 0 && h < 24 && m >= 0 && m < 60;
}

static bool is_geofence(const cJSON *o)
{
	return is_text(o, "ref", true) && is_number(o, "latitude", false, -90, 90, true) &&
	       is_number(o, "longitude", false, -180, 180, true) && is_number(o, "radius_m", false, 1e-9, 100000, true);
}
static bool is_dose(const cJSON *o)
{
	return is_text(o, "ref", true) && is_at(o) && is_number(o, "window_min", false, 1e-9, 1440, true);
}
static bool is_look(const cJSON *o)
{
	return is_text(o, "ref", true) && is_at(o) && is_number(o, "minutes", false, 1e-9, 1440, true) &&
	       is_number(o, "masking", true, 0, 4, false);
}
static bool is_key(const cJSON *o)
{
	const cJSON *x = cJSON_GetObjectItemCaseSensitive(o, "x");
	return is_text(o, "kid", true) && cJSON_IsString(x) && strlen(x->valuestring) == 43;
}

static bool is_list(const cJSON *o, const char *key, int most, bool (*each)(const cJSON *))
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(o, key), *item;
	if (!list)
		return true;
	if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > most)
		return false;
	cJSON_ArrayForEach(item, list)
		if (!cJSON_IsObject(item) || !each(item))
			return false;
	return true;
}

/* The whole of it is judged, also what a GPS alarm has no use for; unknown fields are not looked at. */
static bool usable(const cJSON *o)
{
	return cJSON_IsObject(o) && is_number(o, "revision", true, 0, 9007199254740992.0, true) &&
	       is_number(o, "heartbeat_s", true, 1, 86400, false) && is_number(o, "position_s", true, 1, 86400, false) &&
	       is_text(o, "time_zone", false) && is_list(o, "geofences", 64, is_geofence) && is_list(o, "doses", 64, is_dose) &&
	       is_list(o, "looks", 64, is_look) && is_list(o, "grant_keys", 8, is_key);
}

static void take(const cJSON *o)
{
	const cJSON *h = cJSON_GetObjectItemCaseSensitive(o, "heartbeat_s");
	const cJSON *p = cJSON_GetObjectItemCaseSensitive(o, "position_s");
	desired_revision = (int64_t)cJSON_GetObjectItemCaseSensitive(o, "revision")->valuedouble;
	desired_heartbeat_s = h ? h->valueint : set.heartbeat_s;
	desired_position_s = p ? p->valueint : set.position_s;
}

void desired_open(void)
{
	char path[1024];
	desired_heartbeat_s = set.heartbeat_s;
	desired_position_s = set.position_s;
	snprintf(path, sizeof path, "%s/desired.json", set.state_dir);
	char *bytes = read_text(path);
	cJSON *o = bytes ? cJSON_Parse(bytes) : NULL;
	if (usable(o))
		take(o);
	cJSON_Delete(o);
	free(bytes);
}

static void refuse(const char *bytes, size_t len)
{
	uint64_t hash = 1469598103934665603ULL; /* FNV-1a: only to know it again */
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211ULL;
	char digest[17];
	snprintf(digest, sizeof digest, "%016llx", (unsigned long long)hash);
	fault_config_set(digest);
}

void desired_receive(const char *bytes, size_t len)
{
	if (!len)
		return; /* the retained one was cleared: what is in force stays */
	cJSON *o = utf8_ok(bytes, len) ? cJSON_ParseWithOpts(bytes, NULL, true) : NULL;
	if (!usable(o)) {
		refuse(bytes, len);
		cJSON_Delete(o);
		return;
	}
	int64_t revision = (int64_t)cJSON_GetObjectItemCaseSensitive(o, "revision")->valuedouble;
	if (revision != desired_revision) {
		if (write_file("desired.json", bytes)) {
			refuse(bytes, len);
			cJSON_Delete(o);
			return;
		}
		take(o);
		status_due = true;
	}
	if (state.fault_config) {
		state.fault_config = false;
		*state.refused = 0;
		fault_clear();
		state_save();
	}
	cJSON_Delete(o);
}
