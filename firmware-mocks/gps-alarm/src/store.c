#include "gps.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct state state = {.battery = 87};
struct entry *queue;
int queue_length;
pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}

/* Whole or not at all, also when the power goes: temporary file, fsync, rename, fsync of the folder. */
int write_file(const char *name, const char *bytes)
{
	char path[1024], temporary[1040], folder[1024];
	snprintf(path, sizeof path, "%s/%s", set.state_dir, name);
	snprintf(temporary, sizeof temporary, "%s.tmp", path);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		goto bad;
	for (size_t left = strlen(bytes); left;) {
		ssize_t n = write(fd, bytes, left);
		if (n < 0) {
			close(fd);
			goto bad;
		}
		bytes += n, left -= (size_t)n;
	}
	if (fsync(fd) || close(fd) || rename(temporary, path))
		goto bad;
	snprintf(folder, sizeof folder, "%s", path);
	*strrchr(folder, '/') = 0;
	sync_dir(folder);
	return 0;
bad:
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return -1;
}

char *read_text(const char *path)
{
	FILE *f = fopen(path, "r");
	if (!f)
		return NULL;
	size_t size = 0, got;
	char *text = NULL;
	do {
		text = realloc(text, size + 4097);
		got = fread(text + size, 1, 4096, f);
		size += got;
	} while (got);
	text[size] = 0;
	fclose(f);
	return text;
}

void state_save(void)
{
	cJSON *o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "install", state.install);
	cJSON_AddNumberToObject(o, "next_sequence", (double)state.next_sequence);
	cJSON_AddNumberToObject(o, "next_number", (double)state.next_number);
	cJSON_AddNumberToObject(o, "battery", state.battery);
	cJSON_AddNumberToObject(o, "battery_level", state.battery_level);
	cJSON_AddBoolToObject(o, "worn", state.worn);
	cJSON_AddBoolToObject(o, "charging", state.charging);
	cJSON_AddBoolToObject(o, "fault_config", state.fault_config);
	cJSON_AddBoolToObject(o, "fault_outbox", state.fault_outbox);
	cJSON_AddBoolToObject(o, "clock_unset", state.clock_unset);
	cJSON_AddNumberToObject(o, "clock_offset_s", state.clock_offset_s);
	cJSON_AddStringToObject(o, "refused", state.refused);
	char *text = cJSON_PrintUnformatted(o);
	write_file("state.json", text);
	free(text);
	cJSON_Delete(o);
}

static double number(const cJSON *o, const char *key, double otherwise)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);
	return cJSON_IsNumber(item) ? item->valuedouble : otherwise;
}

static bool truth(const cJSON *o, const char *key) { return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, key)); }

static void text(const cJSON *o, const char *key, char *to, size_t size)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);
	if (cJSON_IsString(item))
		snprintf(to, size, "%s", item->valuestring);
}

static void append(struct entry *e)
{
	struct entry **at = &queue;
	while (*at)
		at = &(*at)->next;
	*at = e;
	queue_length++;
}

static void file_name(const struct entry *e, char *out, size_t size)
{
	snprintf(out, size, "queue/%016llu.json", (unsigned long long)e->number);
}

static void discard(struct entry **at)
{
	struct entry *e = *at;
	char name[64], path[1024];
	file_name(e, name, sizeof name);
	snprintf(path, sizeof path, "%s/%s", set.state_dir, name);
	unlink(path);
	*at = e->next;
	free(e->payload);
	free(e);
	queue_length--;
}

static int only_json(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');
	return dot && !strcmp(dot, ".json");
}

int store_open(void)
{
	char path[1024];
	mkdir(set.state_dir, 0700);
	snprintf(path, sizeof path, "%s/queue", set.state_dir);
	if (mkdir(path, 0700) && errno != EEXIST) {
		perror(path);
		return -1;
	}
	snprintf(path, sizeof path, "%s/state.json", set.state_dir);
	char *bytes = read_text(path);
	cJSON *o = bytes ? cJSON_Parse(bytes) : NULL;
	if (bytes && !o)
		fprintf(stderr, "%s cannot be read\n", path);
	free(bytes);
	if (o) {
		text(o, "install", state.install, sizeof state.install);
		state.next_sequence = (uint64_t)number(o, "next_sequence", 0);
		state.next_number = (uint64_t)number(o, "next_number", 0);
		state.battery = number(o, "battery", 87);
		state.battery_level = (int)number(o, "battery_level", 0);
		state.worn = truth(o, "worn");
		state.charging = truth(o, "charging");
		state.fault_config = truth(o, "fault_config");
		state.fault_outbox = truth(o, "fault_outbox");
		state.clock_unset = truth(o, "clock_unset");
		state.clock_offset_s = number(o, "clock_offset_s", 0);
		text(o, "refused", state.refused, sizeof state.refused);
		cJSON_Delete(o);
	}
	snprintf(path, sizeof path, "%s/queue", set.state_dir);
	struct dirent **names;
	int n = scandir(path, &names, only_json, alphasort);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof path, "%s/queue/%s", set.state_dir, names[i]->d_name);
		bytes = read_text(path);
		cJSON *kept = bytes ? cJSON_Parse(bytes) : NULL;
		const cJSON *payload = cJSON_GetObjectItemCaseSensitive(kept, "payload");
		if (cJSON_IsString(payload)) {
			struct entry *e = calloc(1, sizeof *e);
			e->number = strtoull(names[i]->d_name, NULL, 10);
			e->lane = (int)number(kept, "lane", LANE_EVENT) == LANE_RESULT ? LANE_RESULT : LANE_EVENT;
			text(kept, "type", e->type, sizeof e->type);
			e->payload = strdup(payload->valuestring);
			append(e);
			if (e->number >= state.next_number)
				state.next_number = e->number + 1;
			double sequence = number(kept, "sequence", -1);
			if (e->lane == LANE_EVENT && sequence >= (double)state.next_sequence)
				state.next_sequence = (uint64_t)sequence + 1;
		}
		cJSON_Delete(kept);
		free(bytes);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	if (!*state.install || fault == FAULT_POWER_CUT) {
		unsigned char random[8] = {0};
		int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, random, sizeof random) != sizeof random)
			return -1;
		close(fd);
		for (int i = 0; i < 8; i++)
			sprintf(state.install + 2 * i, "%02x", random[i]);
	}
	if (fault == FAULT_POWER_CUT)
		state.next_sequence = 0; /* the planted fault: the count was in RAM */
	state_save();
	clock_restore(state.clock_unset, state.clock_offset_s, mono_ms());
	return 0;
}

static bool is(const struct entry *e, const char *word) { return !strcmp(e->type, word); }
static bool heartbeat(const struct entry *e) { return is(e, "heartbeat"); }
static bool measurement(const struct entry *e)
{
	return is(e, "position.update") || is(e, "battery.ok") || is(e, "battery.low") || is(e, "battery.critical");
}
static bool no_call(const struct entry *e) { return !is(e, "alarm.manual") && !is(e, "alarm.cancelled"); }

static bool make_room(void)
{
	static bool (*const worth[])(const struct entry *) = {heartbeat, measurement, no_call};
	for (int i = 0; i < 3; i++)
		for (struct entry **at = &queue; *at; at = &(*at)->next)
			if ((*at)->lane == LANE_EVENT && !(*at)->mid && worth[i](*at)) {
				discard(at);
				return true;
			}
	return false;
}

bool queue_put(enum lane lane, const char *type, uint64_t sequence, const char *payload)
{
	bool overflow = queue_length >= set.queue_max && lane == LANE_EVENT;
	if (overflow)
		make_room(); /* with calls for help alone in it, it grows: they are never given up */
	struct entry *e = calloc(1, sizeof *e);
	e->number = state.next_number++;
	e->lane = lane;
	snprintf(e->type, sizeof e->type, "%s", type);
	e->payload = strdup(payload);
	cJSON *o = cJSON_CreateObject();
	cJSON_AddNumberToObject(o, "lane", lane);
	cJSON_AddStringToObject(o, "type", type);
	cJSON_AddNumberToObject(o, "sequence", (double)sequence);
	cJSON_AddStringToObject(o, "payload", payload);
	char *bytes = cJSON_PrintUnformatted(o);
	char name[64];
	file_name(e, name, sizeof name);
	write_file(name, bytes); /* a full disk: it is still sent from memory */
	free(bytes);
	cJSON_Delete(o);
	append(e);
	state_save();
	return overflow;
}

void queue_acked(int mid)
{
	for (struct entry **at = &queue; *at; at = &(*at)->next)
		if ((*at)->mid == mid) {
			discard(at);
			return;
		}
}

void queue_forget_mids(void)
{
	for (struct entry *e = queue; e; e = e->next)
		e->mid = 0;
}
