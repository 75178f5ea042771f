/* The outside world: the button (signals), and in test firmware the HTTP hook with its delayed happenings. */
#include "gps.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define PRESS_GAP_MS 700

extern volatile bool goodbye;

#if TEST_HOOK
struct later {
	int64_t due;
	char word[64]; /* "" is a loss of power */
	cJSON *wish;
	struct later *next;
};
static struct later *later;

static void do_later(double after_s, const char *word, const cJSON *wish)
{
	struct later *l = calloc(1, sizeof *l), **at = &later;
	l->due = mono_ms() + (int64_t)(after_s * 1000);
	snprintf(l->word, sizeof l->word, "%s", word);
	l->wish = wish ? cJSON_Duplicate(wish, true) : NULL;
	while (*at && (*at)->due <= l->due)
		at = &(*at)->next;
	l->next = *at;
	*at = l;
}

static void do_due(void)
{
	while (later && later->due <= mono_ms()) {
		struct later *l = later;
		later = l->next;
		if (!*l->word)
			kill(getpid(), SIGKILL); /* the parent is the battery that is put back */
		happen(l->word, l->wish);
		cJSON_Delete(l->wish);
		free(l);
	}
}

static bool can_say(const char *word)
{
	static const char *const words[] = {"alarm.manual", "alarm.cancelled", "position.update", "heartbeat", "battery.low",
		"battery.critical", "battery.ok", "wear.on", "wear.off", "charging.started", "charging.stopped"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

static const char *act(const char *path, const cJSON *body)
{
	const cJSON *after = cJSON_GetObjectItemCaseSensitive(body, "after_s");
	double after_s = 0;
	if (!cJSON_IsObject(body))
		return "the body is no JSON object";
	if (after && (!cJSON_IsNumber(after) || after->valuedouble < 0 || after->valuedouble > 86400))
		return "after_s is no number from 0 to 86400";
	if (after)
		after_s = after->valuedouble;
	if (!strcmp(path, "/event")) {
		const char *word = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(body, "type"));
		if (!word || !can_say(word))
			return "this device has no such word, or cannot be brought to say it";
		do_later(after_s, word, cJSON_GetObjectItemCaseSensitive(body, "data"));
	} else if (!strcmp(path, "/reset")) {
		do_later(after_s < 0.05 ? 0.05 : after_s, "", NULL); /* the answer gets out first */
	} else if (!strcmp(path, "/battery")) {
		const cJSON *percent = cJSON_GetObjectItemCaseSensitive(body, "percent");
		if (!cJSON_IsNumber(percent) || percent->valuedouble < 0 || percent->valuedouble > 100)
			return "percent is no number from 0 to 100";
		battery_set(percent->valuedouble);
	} else if (!strcmp(path, "/clock")) {
		const cJSON *offset = cJSON_GetObjectItemCaseSensitive(body, "offset_s");
		if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "unset")))
			clock_set(true, 0);
		else if (cJSON_IsNumber(offset))
			clock_set(false, offset->valuedouble);
		else
			return "offset_s or unset is needed";
	} else {
		return "no such action";
	}
	return NULL;
}

static void serve(int fd)
{
	char buffer[70000];
	size_t got = 0, need = sizeof buffer;
	char *head = NULL;
	struct timeval limit = {2, 0};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	while (got < need && got < sizeof buffer - 1) {
		ssize_t n = recv(fd, buffer + got, sizeof buffer - 1 - got, 0);
		if (n <= 0)
			break;
		got += (size_t)n;
		buffer[got] = 0;
		if (!head && (head = strstr(buffer, "\r\n\r\n"))) {
			char *length = strcasestr(buffer, "\r\ncontent-length:");
			size_t body = length && length < head ? strtoul(length + 17, NULL, 10) : 0;
			need = (size_t)(head + 4 - buffer) + body;
		}
	}
	const char *why = "the request cannot be read";
	int code = 400;
	if (head && got >= need) {
		char method[8] = "", path[64] = "";
		sscanf(buffer, "%7s %63s", method, path);
		cJSON *body = cJSON_Parse(head[4] ? head + 4 : "{}");
		pthread_mutex_lock(&lock);
		why = strcmp(method, "POST") ? "POST only" : act(path, body);
		pthread_mutex_unlock(&lock);
		code = why ? 422 : 202;
		cJSON_Delete(body);
	}
	char body[256], answer[512];
	if (why)
		snprintf(body, sizeof body, "{\"reason\":\"%s\"}", why);
	else
		snprintf(body, sizeof body, "{}");
	int n = snprintf(answer, sizeof answer, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n\r\n%s", code, why ? "Refused" : "Accepted", strlen(body), body);
	if (send(fd, answer, (size_t)n, MSG_NOSIGNAL) < 0)
		perror("hook");
	close(fd);
}

static int hook_open(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)set.hook_port)};
	int one = 1;
	if (!set.hook_port)
		return -1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (inet_pton(AF_INET, set.hook_host, &to.sin_addr) != 1 || bind(fd, (struct sockaddr *)&to, sizeof to) || listen(fd, 8)) {
		perror("hook");
		exit(2);
	}
	return fd;
}
#endif

void *outside(void *unused)
{
	(void)unused;
	sigset_t wanted;
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGUSR1);
	sigaddset(&wanted, SIGUSR2);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	struct pollfd from[2] = {{.fd = signalfd(-1, &wanted, SFD_CLOEXEC), .events = POLLIN}, {.fd = -1, .events = POLLIN}};
#if TEST_HOOK
	from[1].fd = hook_open();
#endif
	int presses = 0;
	int64_t last_press = -PRESS_GAP_MS - 1, first_more = 0;
	while (!goodbye) {
		poll(from, 2, 20);
		if (from[0].revents & POLLIN) {
			struct signalfd_siginfo s;
			if (read(from[0].fd, &s, sizeof s) == sizeof s) {
				if (s.ssi_signo == SIGUSR1 && mono_ms() - last_press > PRESS_GAP_MS) {
					last_press = mono_ms();
					pthread_mutex_lock(&lock);
					happen("alarm.manual", NULL); /* the first press waits for nothing */
					pthread_mutex_unlock(&lock);
				} else if (s.ssi_signo == SIGUSR1) {
					last_press = mono_ms();
					if (!presses++)
						first_more = device_ms();
				} else if (s.ssi_signo == SIGUSR2) {
					pthread_mutex_lock(&lock);
					happen("alarm.cancelled", NULL);
					pthread_mutex_unlock(&lock);
				} else {
					goodbye = true;
				}
			}
		}
		if (presses && mono_ms() - last_press > PRESS_GAP_MS) {
			cJSON *wish = cJSON_CreateObject();
			cJSON_AddNumberToObject(wish, "presses", presses);
			presses = 0;
			pthread_mutex_lock(&lock);
			say_at = first_more; /* when it happened, not when it is told */
			happen("alarm.manual", wish);
			say_at = 0;
			pthread_mutex_unlock(&lock);
			cJSON_Delete(wish);
		}
#if TEST_HOOK
		if (from[1].revents & POLLIN) {
			int fd = accept4(from[1].fd, NULL, NULL, SOCK_CLOEXEC);
			if (fd >= 0)
				serve(fd);
		}
		pthread_mutex_lock(&lock);
		do_due();
		pthread_mutex_unlock(&lock);
#endif
	}
	return NULL;
}
