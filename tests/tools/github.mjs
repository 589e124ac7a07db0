// Prints every payload of @octokit/webhooks-examples as one JSON line: event name, delivery id, body, signature.
// Usage: node github.mjs SECRET
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { sign } from "@octokit/webhooks-methods";

const [secret] = process.argv.slice(2);
if (!secret) {
  console.error("usage: node github.mjs SECRET");
  process.exit(2);
}

// One folder for github.com and one for each version of GitHub Enterprise Server.
const root = dirname(createRequire(import.meta.url).resolve("@octokit/webhooks-examples/package.json"));
const folders = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name).sort();

for (const folder of folders) {
  const hooks = JSON.parse(readFileSync(join(root, folder, "index.json"), "utf8"));
  for (const { name, examples } of hooks) {
    for (const [index, payload] of examples.entries()) {
      const body = JSON.stringify(payload);
      const delivery = `${folder}/${name}/${index}`;
      console.log(JSON.stringify({ event: name, delivery, body, signature: await sign(secret, body) }));
    }
  }
}
