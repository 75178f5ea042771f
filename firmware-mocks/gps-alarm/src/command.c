#include "gps.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMEMBERED 500
static cJSON *answered; /* [{"id", "outcome", "reason", "time"}], oldest first; outcome "" while it is carried out */

void command_open(void)
{
	char path[1024];
	snprintf(path, sizeof path, "%s/commands.json", set.state_dir);
	char *bytes = read_text(path);
	answered = bytes ? cJSON_Parse(bytes) : NULL;
	free(bytes);
	if (!cJSON_IsArray(answered)) {
		cJSON_Delete(answered);
		answered = cJSON_CreateArray();
	}
}

static void save(void)
{
	while (cJSON_GetArraySize(answered) > REMEMBERED)
		cJSON_DeleteItemFromArray(answered, 0);
	char *bytes = cJSON_PrintUnformatted(answered);
	write_file("commands.json", bytes);
	free(bytes);
}

static void send_result(const cJSON *result)
{
	char *payload = cJSON_PrintUnformatted(result);
	queue_put(LANE_RESULT, "", 0, payload);
	free(payload);
}

static void finish(cJSON *result, const char *outcome, const char *reason)
{
	char when[40];
	time_text(device_ms(), when, sizeof when);
	cJSON_DeleteItemFromObject(result, "outcome");
	cJSON_AddStringToObject(result, "outcome", outcome);
	if (reason)
		cJSON_AddStringToObject(result, "reason", reason);
	cJSON_AddStringToObject(result, "time", when);
	save();
	send_result(result);
}

static cJSON *known(const char *id)
{
	cJSON *r;
	cJSON_ArrayForEach(r, answered)
		if (!strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(r, "id")), id))
			return r;
	return NULL;
}

void command_receive(const char *bytes, size_t len)
{
	cJSON *o = utf8_ok(bytes, len) ? cJSON_ParseWithOpts(bytes, NULL, true) : NULL;
	const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "id"));
	if (!id || !*id || strlen(id) > 256) {
		cJSON_Delete(o);
		return; /* nothing to answer to */
	}
	cJSON *result = known(id);
	if (result) {
		const char *outcome = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(result, "outcome"));
		if (outcome && *outcome)
			send_result(result);
		else
			finish(result, "failed", "the power went while it was carried out");
		cJSON_Delete(o);
		return;
	}
	result = cJSON_CreateObject();
	cJSON_AddStringToObject(result, "id", id);
	cJSON_AddStringToObject(result, "outcome", "");
	cJSON_AddItemToArray(answered, result);
	const char *act = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "do"));
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "expires"));
	int64_t expires;
	if (!act || strcmp(act, "locate"))
		finish(result, "rejected", "this device knows locate only");
	else if (!text || !time_parse(text, &expires))
		finish(result, "rejected", "expires cannot be read");
	else if (!clock_synced())
		finish(result, "rejected", "the clock is not set");
	else if (device_ms() > expires)
		finish(result, "expired", NULL);
	else {
		save(); /* begun: after a loss of power it is not begun again */
		place_move();
		say("position.update", place(true), true);
		finish(result, "done", NULL);
	}
	cJSON_Delete(o);
}
