// What survives a loss of power: one file, replaced as a whole, on disk before anything is said.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";

const EMPTY = { sequence: 0, locked: true, config: null, done: [], grants: [], outbox: [], lost: 0 };

export class Memory {
  constructor(path) {
    this.path = path;
    try {
      Object.assign(this, EMPTY, JSON.parse(readFileSync(path, "utf8")));
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
      Object.assign(this, structuredClone(EMPTY));
    }
  }

  save() {
    const { path, ...kept } = this;
    const file = openSync(`${path}.new`, "w");
    writeSync(file, JSON.stringify(kept));
    fsyncSync(file);
    closeSync(file);
    renameSync(`${path}.new`, path);
  }
}
