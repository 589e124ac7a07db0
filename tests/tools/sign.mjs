// Signs and verifies with the services' own libraries for Node.
// Reads a JSON list on standard input and prints one answer each: {"github": {secret, body}} → the signature that Octokit makes;
// {"shopify": {secret, body, signature}} → whether Shopify's library takes it; {"sns": {body, certificate}} → whether AWS' does.
import { createRequire } from "node:module";
import { sign } from "@octokit/webhooks-methods";
import "@shopify/shopify-api/adapters/node";
import { LogSeverity, shopifyApi } from "@shopify/shopify-api";

const require = createRequire(import.meta.url);
const https = require("https");
const SnsValidator = require("sns-validator");

async function github({ secret, body }) {
  return sign(secret, body);
}

async function shopify({ secret, body, signature }) {
  const api = shopifyApi({
    apiKey: "key",
    apiSecretKey: secret,
    hostName: "hence.example.com",
    apiVersion: "2025-10",
    isEmbeddedApp: false,
    logger: { level: LogSeverity.Error, log: async () => {} },
  });
  const headers = {
    "X-Shopify-Hmac-Sha256": signature,
    "X-Shopify-Topic": "orders/create",
    "X-Shopify-Shop-Domain": "shop.myshopify.com",
    "X-Shopify-API-Version": "2025-10",
    "X-Shopify-Webhook-Id": "1",
  };
  const { valid, reason } = await api.webhooks.validate({ rawBody: body, rawRequest: { method: "POST", url: "/", headers } });
  return valid || reason;
}

// The library fetches the certificate itself: it gets this one, whatever it asks for.
async function sns({ body, certificate }) {
  https.get = (_url, callback) => {
    const answer = { statusCode: 200 };
    answer.on = (event, listener) => {
      if (event === "data") listener(certificate);
      if (event === "end") listener();
      return answer;
    };
    callback(answer);
    return { on: () => {} };
  };
  return new Promise((resolve) => new SnsValidator().validate(body, (error) => resolve(error ? error.message : true)));
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const answers = [];
for (const asked of JSON.parse(Buffer.concat(chunks).toString("utf8"))) {
  const [[name, given]] = Object.entries(asked);
  answers.push(await { github, shopify, sns }[name](given));
}
console.log(JSON.stringify(answers));
