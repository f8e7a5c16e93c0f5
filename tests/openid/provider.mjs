// A real OpenID provider (npm's oidc-provider) on loopback, and a resource that asks it whether tokens are active.
//
// Run as `node provider.mjs '{"redirectUris": ["http://…"]}'`: prints one line of JSON with its address, ends with its
// standard input. Belongs here: its clients and grants. Does not: any expectation.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider, { errors } from "oidc-provider";

const given = JSON.parse(process.argv[2] ?? "{}");
const server = createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
const API = "urn:tests:api";
const tokenRequests = [];
const keySetRequests = [];

const confidential = {
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
  redirect_uris: given.redirectUris ?? ["http://127.0.0.1:1/oauth2/callback"],
};

/** A signing key by its name, made when it is first asked for. */
const keys = new Map();
function key(kid, kind = "ec") {
  if (!keys.has(kid)) {
    const options = kind === "ec" ? { namedCurve: "P-256" } : { modulusLength: 2048 };
    keys.set(kid, { ...generateKeyPairSync(kind, options).privateKey.export({ format: "jwk" }), kid, use: "sig" });
  }
  return keys.get(kid);
}

/** The provider with these keys, as it is after a restart: what it has given out stays. `signing` signs access tokens. */
const made = (published, signing) => new Provider(issuer, {
  jwks: { keys: [...published.map((kid) => key(kid)), key("of-id-tokens", "rsa")] },
  clients: [
    {
      client_id: "service",
      client_secret: "service-secret: with % and + and : -0001",
      grant_types: ["client_credentials"],
      response_types: [],
      redirect_uris: [],
      token_endpoint_auth_method: "client_secret_basic",
    },
    {
      client_id: "service-post",
      client_secret: "service-post-secret-0001-of-tests",
      grant_types: ["client_credentials"],
      response_types: [],
      redirect_uris: [],
      token_endpoint_auth_method: "client_secret_post",
    },
    { client_id: "web", client_secret: "web-secret-0001-of-every-test-here", ...confidential },
    { client_id: "introspector", client_secret: "introspector-secret-0001-of-tests", redirect_uris: [], grant_types: [],
      response_types: [] },
  ],
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      // Access tokens for the API are JWTs; those for nothing in particular stay opaque.
      enabled: true,
      defaultResource: async (ctx, client, oneOf) => oneOf,
      useGrantedResource: async () => false,
      getResourceServerInfo: async (ctx, resource) => {
        if (resource !== API) throw new errors.InvalidTarget();
        return { scope: "api:read", audience: API, accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256", kid: signing } } };
      },
    },
  },
  scopes: ["openid", "offline_access", "api:read"],
  pkce: { required: (ctx, client) => client.clientId === "web" },
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client, code) => client.grantTypeAllowed("refresh_token"),
  ttl: { ClientCredentials: given.lifetime ?? 600, AccessToken: given.lifetime ?? 600, RefreshToken: 3600 },
  cookies: { keys: ["tests-only"] },
  findAccount: async (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
});
let provider;
let callback;
const issued = [];
function start(published, signing) {
  provider = made(published, signing);
  callback = provider.callback();
  provider.on("server_error", (ctx, error) => process.stderr.write(`${error.stack}\n`));
  for (const [event, kind] of [["client_credentials.saved", "ClientCredentials"], ["access_token.saved", "AccessToken"]])
    provider.on(event, (token) => issued.push({ kind, value: token.jti }));
}
start(["first"], "first");

async function bearer(request) {
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  return scheme === "Bearer" ? token : undefined;
}

/** The protected target: asks the provider, over its introspection endpoint, what the token is. */
async function resource(request, response) {
  const token = await bearer(request);
  const told = await fetch(`${issuer}/token/introspection`, {
    method: "POST",
    headers: { Authorization: `Basic ${btoa("introspector:introspector-secret-0001-of-tests")}` },
    body: new URLSearchParams({ token: token ?? "" }),
  });
  const what = await told.json();
  const body = [];
  for await (const chunk of request) body.push(chunk);
  response.writeHead(what.active ? 200 : 401, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ ...what, method: request.method, body: Buffer.concat(body).toString() }));
}

/** A refresh token as a person would have got it by another way, for clients that begin with one. */
async function refreshToken(clientId) {
  const client = await provider.Client.find(clientId);
  const grant = new provider.Grant({ accountId: "ann", clientId });
  grant.addOIDCScope("openid offline_access api:read");
  const grantId = await grant.save();
  const token = new provider.RefreshToken({
    accountId: "ann", client, grantId, scope: "openid offline_access api:read", gty: "authorization_code",
    expiresWithSession: false, claims: {}, rotations: 0, iiat: Math.floor(Date.now() / 1000),
  });
  return token.save();
}

server.on("request", async (request, response) => {
  const url = new URL(request.url, issuer);
  if (url.pathname.startsWith("/resource")) return resource(request, response);
  if (url.pathname === "/tests/refresh-token") return response.end(await refreshToken("web"));
  if (url.pathname === "/tests/token-requests") return response.end(String(tokenRequests.length));
  if (url.pathname === "/tests/key-set-requests") return response.end(String(keySetRequests.length));
  if (url.pathname === "/tests/keys") {
    start(url.searchParams.getAll("published"), url.searchParams.get("signing"));
    return response.end();
  }
  if (url.pathname === "/tests/revoke-all") {
    for (const token of [...issued]) await (await provider[token.kind].find(token.value))?.destroy();
    return response.end();
  }
  if (url.pathname === "/token") tokenRequests.push(Date.now());
  if (url.pathname === "/jwks") keySetRequests.push(Date.now());
  return callback(request, response);
});

process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
process.stdout.write(`${JSON.stringify({ issuer })}\n`);
