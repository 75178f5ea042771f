// The lock: what it says, what it obeys, what it remembers. It knows nothing of MQTT.
import { whyNot } from "./grants.mjs";
import { Memory } from "./memory.mjs";

export const FIRMWARE = "1.0.0";
const FULL = 2000; // messages that wait, at most
const REMEMBERED = 64; // commands and grants, the newest
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/i;

export class Lock {
  constructor(path, name, say) {
    this.memory = new Memory(path);
    this.name = name;
    this.say = say; // called when something new waits in the outbox
    this.battery = 93;
    this.clock = { set: true, offsetMs: 0 };
    this.batteryWord = "battery.ok";
  }

  now() {
    return new Date(this.clock.set ? Date.now() + this.clock.offsetMs : process.uptime() * 1000);
  }

  // -- what it says

  put(branch, body) {
    const { outbox } = this.memory;
    if (outbox.length >= FULL) {
      const heartbeat = outbox.findIndex((one) => one.heartbeat);
      outbox.splice(heartbeat > 0 ? heartbeat : 1, 1); // the first may be under way
      this.memory.lost += 1;
    }
    outbox.push({ branch, body: JSON.stringify(body), heartbeat: body.type === "vaka.heartbeat.v1" });
    this.memory.save();
    this.say();
  }

  event(word, data = {}) {
    const sequence = ++this.memory.sequence;
    this.put("event", {
      specversion: "1.0",
      id: `node-${sequence}`,
      source: `vaka:${this.name}`,
      type: `vaka.${word}.v1`,
      time: this.now().toISOString(),
      sequence,
      clockquality: this.clock.set ? "synced" : "unsynced",
      data,
    });
  }

  status(state = "online") {
    return JSON.stringify({
      state,
      time: this.now().toISOString(),
      clockquality: this.clock.set ? "synced" : "unsynced",
      firmware: FIRMWARE,
      battery: this.battery,
      config_revision: this.memory.config?.revision ?? 0,
    });
  }

  will() {
    return JSON.stringify({ state: "offline", reason: "connection lost" });
  }

  acknowledged() {
    this.memory.outbox.shift();
    if (this.memory.lost && this.memory.outbox.length < FULL / 2) {
      const lost = this.memory.lost;
      this.memory.lost = 0;
      this.event("device.fault", { code: "outbox_full", details: { lost } });
    }
    this.memory.save();
  }

  // -- what happens to it

  turn(locked, data) {
    this.memory.locked = locked;
    this.event(locked ? "lock.locked" : "lock.unlocked", data);
  }

  heartbeat() {
    this.event("heartbeat", { battery_percent: this.battery, firmware: FIRMWARE });
  }

  charge(percent) {
    this.battery = percent;
    const word = percent <= 10 ? "battery.critical" : percent <= 20 ? "battery.low" : "battery.ok";
    if (word !== this.batteryWord) this.event(word, { battery_percent: percent });
    this.batteryWord = word;
  }

  // -- what it hears

  command(text) {
    const command = object(text);
    const id = command?.id;
    if (typeof id !== "string" || id.length < 1 || id.length > 64) return; // nothing to answer to
    const before = this.memory.done.find((one) => one.id === id);
    const [outcome, reason] = before ? [before.outcome, "answered before"] : this.obey(command);
    if (!before) this.memory.done = [...this.memory.done, { id, outcome }].slice(-REMEMBERED);
    this.put("result", { id, outcome, reason, time: this.now().toISOString() });
  }

  obey(command) {
    if (command.do !== "lock" && command.do !== "unlock") return ["rejected", "allowed: lock, unlock"];
    if (typeof command.expires !== "string" || !RFC3339.test(command.expires)) return ["rejected", "no expires"];
    if (!this.clock.set) return ["rejected", "the clock is not set"];
    if (this.now().getTime() > Date.parse(command.expires)) return ["expired", "it came after its expiry"];
    if (command.do === "unlock") {
      const why = whyNot(command.grant, {
        name: this.name,
        keys: this.memory.config?.grant_keys ?? [],
        command,
        nowSeconds: this.now().getTime() / 1000,
        used: this.memory.grants,
      });
      if (why) return ["rejected", why];
      const claims = JSON.parse(Buffer.from(command.grant.split(".")[1], "base64url").toString("utf8"));
      this.memory.grants = [...this.memory.grants, claims.jti].slice(-REMEMBERED);
    }
    this.turn(command.do === "lock", { means: "remote", ...(command.visit ? { visit: command.visit } : {}) });
    return ["done", ""];
  }

  // Returns whether the status must be told again.
  configure(text) {
    const config = object(text);
    const beat = config?.heartbeat_s ?? 300;
    const keys = config?.grant_keys ?? [];
    const good =
      Number.isInteger(config?.revision) &&
      Number.isInteger(beat) && beat >= 1 && beat <= 86400 &&
      Array.isArray(keys) &&
      keys.every((key) => typeof key?.kid === "string" && /^[A-Za-z0-9_-]{43}$/.test(key?.x));
    if (!good) {
      this.event("device.fault", { code: "config_refused" });
      return false;
    }
    if (config.revision === this.memory.config?.revision) return false;
    const kept = keys.length ? keys : (this.memory.config?.grant_keys ?? []);
    this.memory.config = { revision: config.revision, heartbeat_s: beat, grant_keys: kept };
    this.memory.save();
    return true;
  }
}

function object(text) {
  try {
    const found = JSON.parse(text);
    return found && typeof found === "object" && !Array.isArray(found) ? found : null;
  } catch {
    return null;
  }
}
