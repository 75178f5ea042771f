#include "gps.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t say_at; /* not 0: the time of what is said next */
static double accuracy_m = 8, speed_kmh;

static void say_once(const char *word, const cJSON *data)
{
	char id[64], source[300], type[64], when[40];
	uint64_t sequence = state.next_sequence++;
	snprintf(id, sizeof id, "%s-%llu", state.install, (unsigned long long)sequence);
	snprintf(source, sizeof source, "vaka:%s/%s", set.tenant, set.device);
	snprintf(type, sizeof type, "vaka.%s.v1", word);
	time_text(say_at ? say_at : device_ms(), when, sizeof when);
	cJSON *o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "specversion", "1.0");
	cJSON_AddStringToObject(o, "id", id);
	cJSON_AddStringToObject(o, "source", source);
	cJSON_AddStringToObject(o, "type", type);
	cJSON_AddStringToObject(o, "time", when);
	cJSON_AddNumberToObject(o, "sequence", (double)sequence);
	cJSON_AddStringToObject(o, "clockquality", clock_synced() ? "synced" : "unsynced");
	if (data)
		cJSON_AddItemToObject(o, "data", cJSON_Duplicate(data, true));
	char *payload = cJSON_PrintUnformatted(o);
	bool overflow = queue_put(LANE_EVENT, word, sequence, payload);
	free(payload);
	cJSON_Delete(o);
	if (overflow && !state.fault_outbox) {
		state.fault_outbox = true;
		cJSON *why = cJSON_CreateObject();
		cJSON_AddStringToObject(why, "code", "outbox_full");
		say_once("device.fault", why);
		cJSON_Delete(why);
	}
}

/* `data` is taken over. `keep` false: an ordinary message that a planted fault does not repeat. */
void say(const char *word, cJSON *data, bool keep)
{
	say_once(word, data);
	if (fault == FAULT_REPEAT && keep)
		say_once(word, data);
	cJSON_Delete(data);
}

static cJSON *with_battery(void)
{
	cJSON *data = cJSON_CreateObject();
	cJSON_AddNumberToObject(data, "battery_percent", state.battery);
	return data;
}

void battery_set(double percent)
{
	static const char *const words[] = {"battery.ok", "battery.low", "battery.critical"};
	int level = percent <= 10 ? 2 : percent <= 20 ? 1 : 0;
	/* from low to good only with 5 % to spare, so that a charge that swings is no news */
	if (state.battery_level && !level && percent <= 25)
		level = 1;
	state.battery = percent;
	status_due = true;
	if (level != state.battery_level && fault != FAULT_WEAK_BATTERY) {
		state.battery_level = level;
		say(words[level], with_battery(), true);
	} else {
		state_save();
	}
}

void fault_config_set(const char *digest)
{
	if (!strcmp(state.refused, digest) && state.fault_config)
		return; /* it comes again after each connection: no news */
	snprintf(state.refused, sizeof state.refused, "%s", digest);
	state.fault_config = true;
	cJSON *data = cJSON_CreateObject();
	cJSON_AddStringToObject(data, "code", "config_refused");
	say("device.fault", data, true);
}

void fault_clear(void)
{
	if (!state.fault_config && !state.fault_outbox)
		say("device.ok", cJSON_CreateObject(), true);
}

/* The receiver stands in for a GNSS chip: a slow walk around the place in the settings. */
void place_move(void)
{
	set.latitude += ((double)(random() % 200) - 100) * 1e-6;
	set.longitude += ((double)(random() % 200) - 100) * 1e-6;
	accuracy_m = 5 + (double)(random() % 80) / 10;
	speed_kmh = (double)(random() % 50) / 10;
}

static double rounded(double value) { return round(value * 1e6) / 1e6; }

cJSON *place(bool full)
{
	cJSON *data = cJSON_CreateObject();
	cJSON_AddNumberToObject(data, "latitude", rounded(set.latitude));
	cJSON_AddNumberToObject(data, "longitude", rounded(set.longitude));
	cJSON_AddNumberToObject(data, "accuracy_m", accuracy_m);
	if (full) {
		cJSON_AddNumberToObject(data, "speed_kmh", speed_kmh);
		cJSON_AddStringToObject(data, "source", "gnss");
	}
	return data;
}

static bool wished(const cJSON *wish, const char *key, double least, double most, double *value)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(wish, key);
	if (!cJSON_IsNumber(item) || item->valuedouble < least || item->valuedouble > most)
		return false;
	*value = item->valuedouble;
	return true;
}

static void switched(bool *now, bool to, const char *on, const char *off)
{
	if (*now == to) { /* already so: it has to be undone first, and that is told as well */
		*now = !to;
		say(to ? off : on, with_battery(), true);
	}
	*now = to;
	say(to ? on : off, with_battery(), true);
}

const char *happen(const char *word, const cJSON *wish)
{
	double n;
	if (wished(wish, "latitude", -90, 90, &n))
		set.latitude = n;
	if (wished(wish, "longitude", -180, 180, &n))
		set.longitude = n;
	if (wished(wish, "accuracy_m", 0, 20100000, &n))
		accuracy_m = n;
	if (!strcmp(word, "alarm.manual")) {
		cJSON *data = place(false);
		int presses = wished(wish, "presses", 1, 1000000, &n) ? (int)n : 1;
		cJSON_AddNumberToObject(data, "presses", presses);
		say(word, data, true);
	} else if (!strcmp(word, "alarm.cancelled")) {
		say(word, cJSON_CreateObject(), true);
	} else if (!strcmp(word, "position.update")) {
		say(word, place(true), true);
	} else if (!strcmp(word, "heartbeat")) {
		say(word, with_battery(), false);
	} else if (!strncmp(word, "battery.", 8)) {
		int level = !strcmp(word + 8, "ok") ? 0 : !strcmp(word + 8, "low") ? 1 : !strcmp(word + 8, "critical") ? 2 : -1;
		static const double least[] = {26, 11, 0}, most[] = {100, 20, 10}, usual[] = {90, 15, 8};
		if (level < 0)
			return "this device has no such word";
		if (state.battery_level == level)
			battery_set(level ? 90 : 15);
		battery_set(wished(wish, "battery_percent", least[level], most[level], &n) ? n : usual[level]);
	} else if (!strcmp(word, "wear.on") || !strcmp(word, "wear.off")) {
		switched(&state.worn, !strcmp(word, "wear.on"), "wear.on", "wear.off");
	} else if (!strcmp(word, "charging.started") || !strcmp(word, "charging.stopped")) {
		switched(&state.charging, !strcmp(word, "charging.started"), "charging.started", "charging.stopped");
	} else {
		return "this device has no such word, or cannot be brought to say it";
	}
	return NULL;
}
