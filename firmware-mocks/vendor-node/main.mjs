// A lock on the network. usage: node main.mjs config.json
// Written from the page of the device interface, version 1, and from nothing else.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import mqtt from "mqtt";
import { testHook } from "./hook.mjs";
import { Lock } from "./lock.mjs";

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
const name = `${settings.tenant}/${settings.device}`;
const topic = (branch) => `vaka/1/${name}/${branch}`;
const FIRST_WAIT_MS = settings.first_wait_ms ?? 1000;
const LONGEST_WAIT_MS = settings.longest_wait_ms ?? 300000;
const STALLED_MS = settings.stalled_ms ?? 60000;

mkdirSync(settings.state_dir, { recursive: true });

// One life, from power to loss of power; what is not in the lock's memory does not come along to the next.
class Life {
  constructor() {
    this.over = false;
    this.wait = FIRST_WAIT_MS;
    this.sending = false;
    this.timers = new Set();
    this.lock = new Lock(join(settings.state_dir, "memory.json"), name, () => this.send());
    this.lock.event("device.online", { code: "boot" });
    this.beat();
    this.connect();
  }

  connect() {
    if (this.over) return;
    const five = settings.mqtt === 5;
    const client = mqtt.connect({
      protocol: settings.ca ? "mqtts" : "mqtt",
      host: settings.host,
      port: settings.port,
      ...(settings.ca ? { ca: readFileSync(settings.ca) } : {}),
      username: settings.user,
      password: settings.password,
      clientId: `${settings.tenant}-${settings.device}`,
      protocolVersion: five ? 5 : 4,
      clean: false,
      ...(five ? { properties: { sessionExpiryInterval: 7 * 86400 } } : {}),
      keepalive: settings.keepalive ?? 60,
      reconnectPeriod: 0, // our own waits grow
      connectTimeout: 20000,
      will: { topic: topic("status"), payload: this.lock.will(), qos: 1, retain: true },
    });
    this.client = client;
    this.sending = false;
    client.on("connect", () => this.connected(client));
    client.on("message", (heard, payload) => this.heard(client, heard, payload.toString("utf8")));
    client.on("error", (error) => console.error(`link: ${error.message}`));
    client.on("close", () => {
      if (client !== this.client || this.over) return;
      this.client = null;
      client.end(true);
      this.after(this.wait * (0.75 + Math.random() / 2), () => this.connect());
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
    });
  }

  async connected(client) {
    this.wait = FIRST_WAIT_MS;
    try {
      await client.publishAsync(topic("status"), this.lock.status(), { qos: 1, retain: true });
      const granted = await client.subscribeAsync([topic("command"), topic("config")], { qos: 1 });
      for (const one of granted) if (one.qos >= 0x80) console.error(`not ours: ${one.topic}`);
    } catch (error) {
      console.error(`link: ${error.message}`);
      return;
    }
    client.ready = true;
    this.send();
  }

  heard(client, heard, text) {
    if (heard === topic("command")) this.lock.command(text);
    else if (heard === topic("config") && this.lock.configure(text)) {
      client.publish(topic("status"), this.lock.status(), { qos: 1, retain: true });
      this.beat();
    }
  }

  // One at a time, the oldest first; it stays in the outbox until PUBACK.
  send() {
    const client = this.client;
    const next = this.lock?.memory.outbox[0];
    if (!client?.ready || this.sending || this.over || !next) return;
    this.sending = true;
    const stalled = this.after(STALLED_MS, () => client.stream.destroy());
    client.publish(topic(next.branch), next.body, { qos: 1 }, (error) => {
      this.cancel(stalled);
      if (client !== this.client || this.over) return;
      this.sending = false;
      if (error) return;
      this.lock.acknowledged();
      this.send();
    });
  }

  beat() {
    this.cancel(this.beating);
    const seconds = this.lock.memory.config?.heartbeat_s ?? settings.heartbeat_s ?? 300;
    this.beating = this.after(seconds * 1000 * 0.95, () => {
      if (this.client?.ready) this.lock.heartbeat();
      this.beat();
    });
  }

  after(ms, act) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      if (!this.over) act();
    }, ms);
    this.timers.add(timer);
    return timer;
  }

  cancel(timer) {
    clearTimeout(timer);
    this.timers.delete(timer);
  }

  // Power is gone: no goodbye.
  cut() {
    this.over = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.client?.stream?.destroy();
    this.client?.end(true);
  }

  async goodbye() {
    const client = this.client;
    this.over = true;
    for (const timer of this.timers) clearTimeout(timer);
    if (client?.ready) {
      await client.publishAsync(topic("status"), this.lock.status("offline"), { qos: 1, retain: true });
    }
    await client?.endAsync(!client?.ready);
  }
}

let life = new Life();
const reset = () => {
  life.cut();
  life = new Life();
};
const hook = settings.hook_port === undefined ? null : testHook(settings.hook_port, () => life, reset);

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, async () => {
    hook?.close();
    setTimeout(() => process.exit(0), 3000).unref();
    await life.goodbye().catch(() => {});
    process.exit(0);
  });
}
