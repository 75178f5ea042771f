/* GPS alarm after the standard device interface, version 1: the connection and the loop. */
#include "gps.h"
#include <errno.h>
#include <mosquitto.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WINDOW 16 /* unacknowledged messages; the interface allows 64 */

enum fault fault;
volatile bool goodbye;

static struct mosquitto *client;
static char topic_event[300], topic_status[300], topic_command[300], topic_config[300], topic_result[300];
static bool connected, refused, dropped;
static int64_t last_progress;

static void note(const char *format, ...)
{
	va_list args;
	char when[40];
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	time_text((int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000, when, sizeof when);
	fprintf(stderr, "%s ", when);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static void on_connect(struct mosquitto *m, void *unused, int code, int flags)
{
	(void)m, (void)unused;
	note("CONNACK %d, session %s", code, flags & 1 ? "present" : "new");
	connected = code == 0;
	refused = code == 4 || code == 5;
	dropped = code != 0;
}

static void on_disconnect(struct mosquitto *m, void *unused, int code)
{
	(void)m, (void)unused;
	note("link lost (%d)", code);
	connected = false;
	dropped = true;
}

static void on_subscribe(struct mosquitto *m, void *unused, int mid, int count, const int *granted)
{
	(void)m, (void)unused, (void)mid;
	for (int i = 0; i < count; i++)
		if (granted[i] >= 0x80)
			note("a subscription was refused: tenant or device is wrong");
}

static void on_publish(struct mosquitto *m, void *unused, int mid)
{
	(void)m, (void)unused;
	last_progress = mono_ms();
	pthread_mutex_lock(&lock);
	queue_acked(mid);
	pthread_mutex_unlock(&lock);
}

static void on_message(struct mosquitto *m, void *unused, const struct mosquitto_message *message)
{
	(void)m, (void)unused;
	size_t len = (size_t)message->payloadlen;
	char *bytes = calloc(1, len + 1);
	if (len)
		memcpy(bytes, message->payload, len);
	pthread_mutex_lock(&lock);
	if (!strcmp(message->topic, topic_command))
		command_receive(bytes, len);
	else if (!strcmp(message->topic, topic_config))
		desired_receive(bytes, len);
	pthread_mutex_unlock(&lock);
	free(bytes);
}

static void status_send(bool online)
{
	char when[40];
	time_text(device_ms(), when, sizeof when);
	cJSON *o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "state", online ? "online" : "offline");
	cJSON_AddStringToObject(o, "time", when);
	cJSON_AddStringToObject(o, "clockquality", clock_synced() ? "synced" : "unsynced");
	cJSON_AddStringToObject(o, "firmware", FIRMWARE);
	cJSON_AddNumberToObject(o, "battery", state.battery);
	cJSON_AddNumberToObject(o, "config_revision", (double)desired_revision);
	if (!online)
		cJSON_AddStringToObject(o, "reason", "switched off");
	char *text = cJSON_PrintUnformatted(o);
	mosquitto_publish(client, NULL, topic_status, (int)strlen(text), text, 1, true);
	free(text);
	cJSON_Delete(o);
}

/* Oldest first, results before events; an entry stays on disk until on_publish, which is its PUBACK. */
static void pump(void)
{
	int out = 0;
	for (struct entry *e = queue; e; e = e->next)
		out += e->mid != 0;
	for (int lane = LANE_RESULT; lane <= LANE_EVENT; lane++)
		for (struct entry *e = queue, *next; e && out < WINDOW; e = next) {
			next = e->next;
			if (e->mid || (int)e->lane != lane)
				continue;
			int mid = 0, rc = mosquitto_publish(client, &mid, lane == LANE_RESULT ? topic_result : topic_event,
				(int)strlen(e->payload), e->payload, 1, false);
			if (!mid || rc == MOSQ_ERR_NOMEM || rc == MOSQ_ERR_INVAL)
				return;
			if (!out++)
				last_progress = mono_ms();
			e->mid = mid;
			if (fault == FAULT_LOST_ACK)
				queue_acked(mid); /* the planted fault: sent is forgotten */
			if (rc)
				return;
		}
}

static void client_make(void)
{
	static const char will[] = "{\"state\":\"offline\",\"reason\":\"connection lost\"}";
	if (client)
		mosquitto_destroy(client);
	queue_forget_mids();
	client = mosquitto_new(set.client_id, false, NULL);
	mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V311);
	mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
	mosquitto_max_inflight_messages_set(client, 64);
	if (*set.username)
		mosquitto_username_pw_set(client, set.username, *set.password ? set.password : NULL);
	mosquitto_will_set(client, topic_status, (int)strlen(will), will, 1, true);
	if (*set.ca) {
		if (mosquitto_tls_set(client, set.ca, NULL, *set.cert ? set.cert : NULL, *set.key ? set.key : NULL, NULL) ||
		    mosquitto_tls_opts_set(client, 1, "tlsv1.2", NULL)) {
			note("ca, certificate or certificate_key cannot be used");
			exit(2);
		}
	}
	mosquitto_connect_with_flags_callback_set(client, on_connect);
	mosquitto_disconnect_callback_set(client, on_disconnect);
	mosquitto_subscribe_callback_set(client, on_subscribe);
	mosquitto_publish_callback_set(client, on_publish);
	mosquitto_message_callback_set(client, on_message);
}

static void link_cut(void)
{
	int fd = mosquitto_socket(client);
	if (fd >= 0)
		shutdown(fd, SHUT_RDWR); /* no DISCONNECT: the last will is to be told */
}

static void run(void)
{
	snprintf(topic_event, sizeof topic_event, "vaka/1/%s/%s/event", set.tenant, set.device);
	snprintf(topic_status, sizeof topic_status, "vaka/1/%s/%s/status", set.tenant, set.device);
	snprintf(topic_command, sizeof topic_command, "vaka/1/%s/%s/command", set.tenant, set.device);
	snprintf(topic_config, sizeof topic_config, "vaka/1/%s/%s/config", set.tenant, set.device);
	snprintf(topic_result, sizeof topic_result, "vaka/1/%s/%s/result", set.tenant, set.device);
	if (store_open())
		exit(2);
	srandom((unsigned)(mono_ms() ^ getpid()));
	desired_open();
	command_open();
	cJSON *boot = cJSON_CreateObject();
	cJSON_AddStringToObject(boot, "code", "boot");
	cJSON_AddStringToObject(boot, "firmware", FIRMWARE);
	say("device.online", boot, false);
	pthread_t thread;
	pthread_create(&thread, NULL, outside, NULL);
	mosquitto_lib_init();
	client_make();

	bool dialled = false, greeted = false;
	double pause_s = 1;
	int timeouts = 0;
	int64_t dial_at = mono_ms(), dialled_at = 0, last_heartbeat = mono_ms(), last_position = mono_ms();
	dropped = true;
	while (!goodbye) {
		int64_t now = mono_ms();
		if (!dialled) {
			if (now < dial_at) {
				usleep(20000);
				continue;
			}
			if (fault == FAULT_LOST_ACK)
				client_make();
			dropped = refused = greeted = false;
			dialled = true;
			dialled_at = now;
			int rc = mosquitto_connect(client, set.host, set.port, set.keep_alive_s);
			if (rc) {
				note("no connection: %s", rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc));
				dropped = true;
			}
		} else {
			int rc = mosquitto_loop(client, 20, 1);
			if (rc && !connected)
				dropped = true;
		}
		if (dropped) {
			if (greeted)
				pause_s = 1;
			double wait = pause_s * (0.8 + 0.4 * (double)random() / RAND_MAX);
			if (refused && wait < 60)
				wait = 60 + wait;
			if (wait > set.reconnect_max_s && !refused)
				wait = set.reconnect_max_s * (0.9 + 0.1 * (double)random() / RAND_MAX);
			pause_s *= 2;
			if (pause_s > set.reconnect_max_s)
				pause_s = set.reconnect_max_s;
			dial_at = mono_ms() + (int64_t)(wait * 1000);
			note("next attempt in %.1f s", wait);
			dialled = connected = false;
			continue;
		}
		if (!connected) {
			if (now - dialled_at > 20000)
				link_cut();
			continue;
		}
		if (!greeted) {
			/* after mosquitto_loop: what the library had not acknowledged has gone out first, with DUP */
			char *topics[] = {topic_command, topic_config};
			mosquitto_subscribe_multiple(client, NULL, 2, topics, 1, 0, NULL);
			greeted = status_due = true;
			last_progress = now;
		}
		pthread_mutex_lock(&lock);
		if (status_due) {
			status_due = false;
			status_send(true);
		}
		now = mono_ms();
		if (now - last_heartbeat >= desired_heartbeat_s * 950LL) {
			last_heartbeat = now;
			cJSON *data = cJSON_CreateObject();
			cJSON_AddNumberToObject(data, "battery_percent", state.battery);
			cJSON_AddStringToObject(data, "link", "lte-m");
			cJSON_AddNumberToObject(data, "link_quality", -97);
			say("heartbeat", data, false);
		}
		if (set.moving && now - last_position >= desired_position_s * 950LL) {
			last_position = now;
			place_move();
			say("position.update", place(true), true);
		}
		pump();
		bool waits = false;
		for (struct entry *e = queue; e; e = e->next)
			waits |= e->mid != 0;
		if (!waits)
			timeouts = 0;
		if (waits && now - last_progress > set.ack_timeout_s * 1000LL) {
			note("nothing acknowledged for %d s: a new connection", set.ack_timeout_s);
			link_cut();
			last_progress = now;
			if (++timeouts > 1) { /* not the link: begin with a fresh client */
				client_make();
				connected = false;
				dropped = true;
				timeouts = 0;
				dialled = false;
				dial_at = now + 1000;
			}
		}
		pthread_mutex_unlock(&lock);
	}
	if (connected) {
		status_send(false);
		for (int64_t until = mono_ms() + 2000; mono_ms() < until && mosquitto_want_write(client);)
			mosquitto_loop(client, 20, 1);
		mosquitto_loop(client, 200, 1);
		mosquitto_disconnect(client);
		mosquitto_loop(client, 100, 1);
	}
}

static volatile sig_atomic_t child, ended;

static void hand_on(int number)
{
	if (number == SIGTERM || number == SIGINT)
		ended = 1;
	if (child > 0)
		kill((pid_t)child, number);
}

/* The parent is the power: it starts the device again when it was killed, and ends with its goodbye. */
static int supervise(void)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};
	sigset_t mask;
	sigemptyset(&mask);
	for (int i = 0; i < 4; i++)
		sigaddset(&mask, numbers[i]);
	for (;;) {
		sigprocmask(SIG_BLOCK, &mask, NULL);
		pid_t pid = fork();
		if (pid < 0)
			return 2;
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			return -1; /* the device; its signals stay blocked and come by signalfd */
		}
		child = pid;
		struct sigaction action = {.sa_handler = hand_on};
		for (int i = 0; i < 4; i++)
			sigaction(numbers[i], &action, NULL);
		sigprocmask(SIG_UNBLOCK, &mask, NULL);
		int how = 0;
		while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
			;
		child = 0;
		if (ended || (WIFEXITED(how) && WEXITSTATUS(how) != 1))
			return WIFEXITED(how) ? WEXITSTATUS(how) : 1;
		note("power lost; back in 1 s");
		sleep(1);
	}
}

int main(int argc, char **argv)
{
	static const char *const names[] = {"none", "weak-battery", "wrong-clock", "repeat", "lost-ack", "power-cut"};
	const char *config = NULL;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--config") && i + 1 < argc) {
			config = argv[++i];
		} else if (!strcmp(argv[i], "--fault") && i + 1 < argc) {
			size_t n = 1;
			while (n < 6 && strcmp(names[n], argv[i + 1]))
				n++;
			if (n == 6) {
				fprintf(stderr, "--fault weak-battery|wrong-clock|repeat|lost-ack|power-cut\n");
				return 2;
			}
			fault = (enum fault)n;
			i++;
		} else {
			config = NULL;
			break;
		}
	}
	if (!config) {
		fprintf(stderr, "gps-alarm --config FILE [--fault weak-battery|wrong-clock|repeat|lost-ack|power-cut]\n");
		return 2;
	}
	if (settings_read(config))
		return 2;
	signal(SIGPIPE, SIG_IGN);
	int rc = supervise();
	if (rc >= 0)
		return rc;
	run();
	return 0;
}
