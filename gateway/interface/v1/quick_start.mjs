import { readFileSync } from "node:fs";
import mqtt from "mqtt";

const [HOST, PORT, USER, PASSWORD] = ["gateway.example.org", 8883, "house-17-lock", "..."];
const NAME = "kommun/d17"; // {tenant}/{device}

const client = await mqtt.connectAsync(`mqtts://${HOST}:${PORT}`, {
  username: USER, password: PASSWORD, clientId: "d17", keepalive: 60, ca: readFileSync("ca.pem"),
});
const event = { specversion: "1.0", id: "7f3a-41", source: `vaka:${NAME}`, type: "vaka.lock.locked.v1",
  time: new Date().toISOString(), sequence: 41, clockquality: "synced", data: { means: "inside_knob" } };
await client.publishAsync(`vaka/1/${NAME}/event`, JSON.stringify(event), { qos: 1 }); // PUBACK: it is on disk
await client.endAsync();
