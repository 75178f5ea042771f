// The test hook that the page describes: a tester's hand, on loopback only, never in a product that is sold.
import { createServer } from "node:http";

const WORDS = {
  "lock.locked": (lock, data) => lock.turn(true, { means: "inside_knob", ...data }),
  "lock.unlocked": (lock, data) => lock.turn(false, { means: "inside_knob", ...data }),
  heartbeat: (lock) => lock.heartbeat(),
};

export function testHook(port, life, reset) {
  const actions = {
    event: ({ type, data }) => {
      if (!WORDS[type]) throw new Error(`it never says ${type}`);
      return () => WORDS[type](life().lock, data);
    },
    reset: () => reset,
    battery: ({ percent }) => () => life().lock.charge(percent),
    clock: ({ unset, offset_s: offset }) => () => {
      life().lock.clock = { set: !unset, offsetMs: (offset ?? 0) * 1000 };
    },
  };
  const server = createServer((request, answer) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      try {
        const action = actions[request.url.slice(1)];
        if (request.method !== "POST" || !action) throw new Error("allowed: POST event, reset, battery, clock");
        const values = JSON.parse(body || "{}");
        const act = action(values);
        if (values.after_s) setTimeout(act, values.after_s * 1000);
        else act();
        answer.writeHead(204).end();
      } catch (error) {
        answer.writeHead(400).end(error.message);
      }
    });
  });
  server.listen(port, "127.0.0.1", () => console.error(`hook: ${server.address().port}`));
  return server;
}
