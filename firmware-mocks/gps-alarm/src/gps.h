#ifndef GPS_H
#define GPS_H
#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#define FIRMWARE "1.0.0"

enum fault { FAULT_NONE, FAULT_WEAK_BATTERY, FAULT_WRONG_CLOCK, FAULT_REPEAT, FAULT_LOST_ACK, FAULT_POWER_CUT };
extern enum fault fault;

/* what the installer sets: settings.c */
struct settings {
	char host[256], tenant[128], device[128], username[128], password[256], client_id[257];
	char state_dir[512], ca[512], cert[512], key[512], hook_host[64];
	int port, hook_port, keep_alive_s, heartbeat_s, position_s, reconnect_max_s, ack_timeout_s, queue_max;
	bool moving;
	double latitude, longitude;
};
extern struct settings set;
int settings_read(const char *path);

/* clock.c */
int64_t mono_ms(void);
int64_t device_ms(void);            /* ms since 1970 by the device's clock */
bool clock_synced(void);
void clock_set(bool unset, double offset_s);
void clock_restore(bool unset, double offset_s, int64_t base);
void time_text(int64_t ms, char *out, size_t size);
bool time_parse(const char *text, int64_t *ms);
bool utf8_ok(const char *bytes, size_t len);

/* store.c: everything that survives a loss of power */
enum lane { LANE_RESULT, LANE_EVENT };
struct entry {
	uint64_t number;
	enum lane lane;
	char type[48];                  /* short word of an event */
	char *payload;
	int mid;                        /* 0: not handed over */
	struct entry *next;
};
struct state {
	char install[17];
	uint64_t next_sequence, next_number;
	double battery;
	int battery_level;              /* 0 ok, 1 low, 2 critical */
	bool worn, charging, fault_config, fault_outbox, clock_unset;
	double clock_offset_s;
	char refused[17];               /* digest of the configuration that was refused */
};
extern struct state state;
extern struct entry *queue;
extern int queue_length;
extern pthread_mutex_t lock;
int store_open(void);
int write_file(const char *name, const char *bytes);
char *read_text(const char *path);
void state_save(void);
bool queue_put(enum lane lane, const char *type, uint64_t sequence, const char *payload);
void queue_acked(int mid);
void queue_forget_mids(void);

/* events.c: what happens to the device; call with lock held */
extern int64_t say_at;
void say(const char *word, cJSON *data, bool keep);
void battery_set(double percent);
void fault_config_set(const char *digest);
void fault_clear(void);
void place_move(void);
cJSON *place(bool full);
const char *happen(const char *word, const cJSON *wish); /* NULL, or why not */

/* command.c, desired.c; call with lock held */
void command_open(void);
void command_receive(const char *bytes, size_t len);
extern int desired_heartbeat_s, desired_position_s;
extern int64_t desired_revision;
extern bool status_due;
void desired_open(void);
void desired_receive(const char *bytes, size_t len);

/* hook.c: the thread of button, timers and test hook */
void *outside(void *unused);
#endif
