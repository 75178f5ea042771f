// Validates an AsyncAPI document with the public parser: prints its diagnostics as JSON. usage: node asyncapi.mjs file
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
const told = diagnostics.map(({ severity, message, path }) => ({ severity, message, path: path.join(".") }));
console.log(JSON.stringify({
  valid: Boolean(document),
  channels: document?.channels().all().length ?? 0,
  messages: document?.messages().all().length ?? 0,
  diagnostics: told,
}));
