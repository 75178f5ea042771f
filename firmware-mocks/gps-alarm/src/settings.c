#include "gps.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings set = {.port = 8883, .keep_alive_s = 60, .heartbeat_s = 300, .position_s = 300, .reconnect_max_s = 300,
	.ack_timeout_s = 60, .queue_max = 20000, .latitude = 59.3293, .longitude = 18.0686};

static const struct { const char *key; char *to; size_t size; } texts[] = {
	{"host", set.host, sizeof set.host}, {"tenant", set.tenant, sizeof set.tenant},
	{"device", set.device, sizeof set.device}, {"username", set.username, sizeof set.username},
	{"password", set.password, sizeof set.password}, {"client_id", set.client_id, sizeof set.client_id},
	{"state_dir", set.state_dir, sizeof set.state_dir}, {"ca", set.ca, sizeof set.ca},
	{"certificate", set.cert, sizeof set.cert}, {"certificate_key", set.key, sizeof set.key},
	{"hook_host", set.hook_host, sizeof set.hook_host}};
static const struct { const char *key; int *to; int least, most; } numbers[] = {
	{"port", &set.port, 1, 65535}, {"hook_port", &set.hook_port, 0, 65535},
	{"keep_alive_s", &set.keep_alive_s, 10, 3600}, {"heartbeat_s", &set.heartbeat_s, 1, 86400},
	{"position_s", &set.position_s, 1, 86400}, {"reconnect_max_s", &set.reconnect_max_s, 1, 300},
	{"ack_timeout_s", &set.ack_timeout_s, 5, 3600}, {"queue_max", &set.queue_max, 100, 1000000}};

static bool put(const char *key, const char *value)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (!strcmp(key, texts[i].key)) {
			if (strlen(value) >= texts[i].size)
				return false;
			strcpy(texts[i].to, value);
			return true;
		}
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (!strcmp(key, numbers[i].key)) {
			char *end;
			long n = strtol(value, &end, 10);
			if (*end || end == value || n < numbers[i].least || n > numbers[i].most)
				return false;
			*numbers[i].to = (int)n;
			return true;
		}
	if (!strcmp(key, "moving")) {
		set.moving = !strcmp(value, "true");
		return set.moving || !strcmp(value, "false");
	}
	if (!strcmp(key, "latitude") || !strcmp(key, "longitude")) {
		char *end;
		*(key[1] == 'a' ? &set.latitude : &set.longitude) = strtod(value, &end);
		return end != value && !*end;
	}
	return false;
}

int settings_read(const char *path)
{
	FILE *f = fopen(path, "r");
	if (!f) {
		perror(path);
		return -1;
	}
	char line[1024];
	for (int n = 1; fgets(line, sizeof line, f); n++) {
		char *key = line + strspn(line, " \t"), *end = key + strlen(key);
		while (end > key && isspace((unsigned char)end[-1]))
			*--end = 0;
		if (!*key || *key == '#')
			continue;
		char *value = strchr(key, '=');
		if (!value) {
			fprintf(stderr, "%s:%d: no '='\n", path, n);
			fclose(f);
			return -1;
		}
		for (end = value, *value++ = 0; end > key && isspace((unsigned char)end[-1]);)
			*--end = 0;
		value += strspn(value, " \t");
		if (!put(key, value)) {
			fprintf(stderr, "%s:%d: %s: unknown key, or a value outside its limits\n", path, n, key);
			fclose(f);
			return -1;
		}
	}
	fclose(f);
	if (!*set.host || !*set.tenant || !*set.device || !*set.client_id || !*set.state_dir) {
		fprintf(stderr, "%s: host, tenant, device, client_id and state_dir are needed\n", path);
		return -1;
	}
	if (strpbrk(set.tenant, "+#/") || strpbrk(set.device, "+#/")) {
		fprintf(stderr, "%s: tenant and device are one topic level each\n", path);
		return -1;
	}
	if (!*set.ca && strncmp(set.host, "127.", 4) && strcmp(set.host, "localhost")) {
		fprintf(stderr, "%s: without ca (TLS) only a loopback host is spoken to\n", path);
		return -1;
	}
	if (!*set.hook_host)
		strcpy(set.hook_host, "127.0.0.1");
	return 0;
}
