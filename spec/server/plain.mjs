// A provider that has never heard of Authgear: oidc-provider with its own defaults (its pages, consent, opaque tokens, the issuer
// in callbacks, rotation, no revocation), two clients, and a browser that logs in and consents. `./run --plain` starts it; the
// line of JSON has `issuer` and `browser`: GET `browser`?url=... follows an authorization URL to {status, location}.

import http from 'node:http';
import { parseArgs } from 'node:util';
import Provider from 'oidc-provider';
import { endWithParent } from './lib/ends.mjs';

const { values } = parseArgs({
  options: { stay: { type: 'boolean', default: false }, parent: { type: 'string' } },
});
const REDIRECT_URIS = ['http://127.0.0.1:8989/callback'];
const MAX_STEPS = 12;

// Only the ready line may go to standard output; the defaults warn that they are for development.
for (const method of ['log', 'info', 'warn']) console[method] = () => {};

function listen(handler) {
  const server = http.createServer(handler);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ server, at: `http://127.0.0.1:${server.address().port}` }));
  });
}

function request(url, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const req = http.request(url, { method, headers, agent: false }, (res) => {
      const chunks = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks).toString() }));
    });
    req.on('error', reject);
    req.end(body);
  });
}

/** What the form on a page asks for, filled in. */
function fillIn(page) {
  const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1];
  const prompt = /name="prompt" value="([^"]+)"/.exec(page)?.[1];
  return action && { action, body: new URLSearchParams({ prompt, login: 'somebody', password: 'x' }).toString() };
}

/** A person: logs in as `somebody` and agrees to everything. Its cookies are forgotten at the end. */
async function visit(issuer, start) {
  const cookies = new Map();
  let next = { url: start };
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const form = next.body ? { 'content-type': 'application/x-www-form-urlencoded' } : {};
    const answer = await request(next.url, { method: next.body ? 'POST' : 'GET', headers: { cookie, ...form }, body: next.body });
    for (const line of [answer.headers['set-cookie'] ?? []].flat()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    const { location } = answer.headers;
    if (location) {
      const url = new URL(location, next.url).href;
      if (!url.startsWith(`${issuer}/`)) return { status: answer.status, location: url };
      next = { url };
    } else {
      const filled = answer.status === 200 && fillIn(answer.body);
      if (!filled) return { status: answer.status, body: answer.body };
      next = { url: new URL(filled.action, next.url).href, body: filled.body };
    }
  }
  throw new Error('no end to it');
}

let callback = (req, res) => res.end();
const { at: issuer } = await listen((req, res) => callback(req, res));
callback = new Provider(issuer, {
  clients: [
    {
      client_id: 'native', application_type: 'native', token_endpoint_auth_method: 'none', redirect_uris: REDIRECT_URIS,
      grant_types: ['authorization_code', 'refresh_token'], post_logout_redirect_uris: ['com.example.app:/out'],
    },
    {
      client_id: 'web', client_secret: 'a secret: &+%', application_type: 'native', redirect_uris: REDIRECT_URIS,
      grant_types: ['authorization_code', 'refresh_token'],
    },
  ],
}).callback();

const { at: browser } = await listen(async (req, res) => {
  const url = new URL(req.url, issuer).searchParams.get('url');
  let result;
  try { result = await visit(issuer, url); } catch (error) { result = { error: error.message }; }
  res.writeHead(200, { 'Content-Type': 'application/json', Connection: 'close' });
  res.end(JSON.stringify(result));
});

endWithParent(values, () => process.exit(0));
process.stdout.write(`${JSON.stringify({ pid: process.pid, issuer, browser })}\n`);
