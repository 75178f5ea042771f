// Runs the lock's firmware, or another's, in the official MicroPython wasm build, with blocking sockets, files and a switch.
//   node wasm/host.mjs CONFIG.json [FOLDER [FAULT...]]
// The firmware runs in a worker and waits on shared memory while this thread does the asynchronous work.
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import net from 'node:net';

const ROOM = 65536;
const HERE = dirname(fileURLToPath(import.meta.url));

if (isMainThread) {
  const shared = new SharedArrayBuffer(16 + ROOM);
  const control = new Int32Array(shared, 0, 4), room = new Uint8Array(shared, 16);
  const [, , path, firmware = dirname(HERE), ...faults] = process.argv;
  const config = JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...(faults.length ? { faults } : {}) });
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { shared, config, firmware } });
  const sockets = new Map();
  let next = 1;
  const answer = (status, bytes) => {
    if (bytes) room.set(bytes);
    control[1] = status; control[2] = bytes ? bytes.length : 0;
    Atomics.store(control, 0, 1); Atomics.notify(control, 0);
  };
  for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => Atomics.store(control, 3, 1));
  worker.on('error', (error) => { console.error(String(error)); process.exit(1); });
  worker.on('exit', (code) => process.exit(code));

  const open = ({ host, port }) => {
    const id = next++, socket = net.connect(port, host);
    const s = { socket, chunks: [], ended: false, failed: false, wake: null };
    let connecting = true;
    const first = (status) => { if (connecting) { connecting = false; answer(status); } };
    sockets.set(id, s);
    socket.on('connect', () => { socket.setNoDelay(true); first(id); });
    socket.on('data', (bytes) => { s.chunks.push(bytes); s.wake?.(); });
    socket.on('error', (error) => { s.failed = s.ended = true; first(error.code === 'ECONNREFUSED' ? -111 : -5); s.wake?.(); });
    socket.on('close', () => { s.ended = true; first(-104); s.wake?.(); });
  };
  const send = ({ id, bytes }) => {
    const s = sockets.get(id);
    if (!s || s.ended) answer(-104); else s.socket.write(bytes, (error) => answer(error ? -104 : bytes.length));
  };
  const receive = ({ id, n, ms }) => {
    const s = sockets.get(id);
    if (!s) { answer(-104); return; }
    let timer = null;
    const done = () => { clearTimeout(timer); s.wake = null; };
    s.wake = () => {
      if (s.chunks.length) {
        let bytes = s.chunks.shift();
        if (bytes.length > n) { s.chunks.unshift(bytes.subarray(n)); bytes = bytes.subarray(0, n); }
        done(); answer(bytes.length, bytes);
      } else if (s.ended) { done(); answer(s.failed ? -104 : 0); }
    };
    s.wake();
    if (s.wake) timer = setTimeout(() => { s.wake = null; answer(-110); }, ms);
  };
  const close = ({ id }) => { sockets.get(id)?.socket.destroy(); sockets.delete(id); answer(0); };
  const work = { open, send, receive, close };
  worker.on('message', (m) => work[m.op](m));
} else {
  const { shared, config, firmware } = workerData;
  const control = new Int32Array(shared, 0, 4), room = new Uint8Array(shared, 16);
  const folder = JSON.parse(config).state_dir, memory = new Map(), nap = new Int32Array(new SharedArrayBuffer(4));
  const call = (m) => {
    Atomics.store(control, 0, 0); parentPort.postMessage(m); Atomics.wait(control, 0, 0);
    return control[1];
  };
  const at = (name) => join(folder, name);
  const load = (name) => (folder ? (existsSync(at(name)) ? readFileSync(at(name), 'utf8') : null) : memory.get(name) ?? null);
  const save = (name, text) => {
    if (!folder) { memory.set(name, text); return; }
    writeFileSync(at(`${name}.new`), text, { flush: true }); renameSync(at(`${name}.new`), at(name));
  };
  const append = (name, text) => {
    if (!folder) memory.set(name, (memory.get(name) ?? '') + text); else appendFileSync(at(name), text, { flush: true });
  };
  if (folder) mkdirSync(folder, { recursive: true });
  const { loadMicroPython } = await import('@micropython/micropython-webassembly-pyscript/micropython.mjs');
  const mp = await loadMicroPython({ heapsize: 131072 });
  mp.registerJsModule('_host', {
    open: (host, port) => call({ op: 'open', host, port }),
    send: (id, hex) => call({ op: 'send', id, bytes: Buffer.from(hex, 'hex') }),
    recv: (id, n, ms) => call({ op: 'receive', id, n: Math.min(n, ROOM), ms }),
    got: () => Buffer.from(room.slice(0, control[2])).toString('hex'),
    close: (id) => call({ op: 'close', id }),
    sleep: (ms) => { Atomics.wait(nap, 0, 0, ms); },
    stop: () => Atomics.load(control, 3),
    log: (text) => process.stderr.write(`${text}\n`),
    config: () => config, load, save, append,
    // Numbers become 32-bit integers in the virtual machine: moments go over as text.
    now: () => String(Date.now()), ticks: () => String(Math.round(performance.now())),
  });
  mp.FS.mkdir('/fw');
  for (const place of [join(dirname(HERE), '..', 'micropython-common'), firmware, HERE]) {
    for (const file of readdirSync(place)) if (file.endsWith('.py')) mp.FS.writeFile(`/fw/${file}`, readFileSync(join(place, file)));
  }
  mp.runPython("import sys\nsys.path.insert(0, '/fw')\nimport main");
  process.exit(0);
}
