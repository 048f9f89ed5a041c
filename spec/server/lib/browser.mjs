// What a user's browser would do, for specs: follow a login to its end, or make a whole session at once.

import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';

const MAX_HOPS = 10;
const DEFAULT_SCOPE = 'openid offline_access https://authgear.com/scopes/full-access';

/** One request over a real connection to our own endpoint or a program's loopback listener. */
function request(dev, url, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const lib = url.startsWith('https:') ? https : http;
    const options = { method, headers, agent: false, ca: dev.ca };
    const req = lib.request(url, options, (res) => {
      const chunks = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('end', () => resolve({
        status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks).toString(),
      }));
      res.on('error', reject);
    });
    req.on('error', reject);
    req.end(body);
  });
}

const isOwn = (dev, url) => [...dev.issuers(), dev.strict.issuer].some((issuer) => url.startsWith(`${issuer}/`));

/** The one cookie that is kept from hop to hop: who the server's pages take the browser for. */
function keepCookie(headers, answer) {
  const cookie = [answer.headers['set-cookie']].flat().find((one) => one?.startsWith('app_session='));
  return cookie ? { ...headers, cookie: cookie.split(';')[0] } : headers;
}

async function follow(dev, start, firstHeaders) {
  let headers = firstHeaders;
  let url = start;
  for (let hop = 0; hop < MAX_HOPS; hop += 1) {
    const answer = await request(dev, url, { headers });
    const { location } = answer.headers;
    headers = keepCookie(headers, answer);
    if (!location) return { status: answer.status, url, body: answer.body };
    const next = /^[a-z][a-z0-9+.-]*:/i.test(location) ? location : new URL(location, url).href;
    if (!isOwn(dev, next)) return { status: answer.status, location: next };
    url = next;
  }
  throw new Error('too many redirects');
}

/**
 * Opens an authorization URL as a browser does. Answers where the login ended (`location`: the redirect URI with
 * code and state) or the page it stopped at; with `deliver` the redirect URI is fetched as well.
 */
export async function visit(dev, { url, deliver = false }) {
  const result = await follow(dev, url, {});
  if (deliver && result.location) {
    try {
      const { status, body } = await request(dev, result.location);
      result.delivered = { status, body };
    } catch (error) {
      result.delivered = { error: error.code ?? error.message };
    }
  }
  return result;
}

/** Logs in as a client would and hands out the tokens. Neither logged nor spoilt. */
export async function makeSession(dev, options) {
  const { client: clientId = 'native', user = 'user', scope = DEFAULT_SCOPE, ttl, tls, dpop } = options;
  const client = dev.state.clients.get(clientId);
  if (!client) throw new Error(`no such client: ${clientId}`);
  const issuer = tls === false ? dev.plainIssuer : dev.issuer;
  const headers = { 'x-internal': dev.secret };
  const verifier = randomBytes(32).toString('base64url');
  const [redirectUri] = client.redirectUris;
  const query = new URLSearchParams({
    response_type: 'code', client_id: clientId, redirect_uri: redirectUri, scope, state: 'x', x_dev_user: user,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
  });
  const { location } = await follow(dev, `${issuer}/oauth2/authorize?${query}`, headers);
  const code = new URL(location ?? 'x:').searchParams.get('code');
  if (!code) throw new Error(`login failed: ${location}`);
  const session = dev.state.sessions.get((await dev.provider.AuthorizationCode.find(code)).grantId);
  if (ttl) session.ttl = ttl;
  if (options.code_only) return { code, code_verifier: verifier, redirect_uri: redirectUri };
  const answer = await request(dev, `${issuer}/oauth2/token`, {
    method: 'POST',
    headers: {
      ...headers, 'Content-Type': 'application/x-www-form-urlencoded',
      ...(dpop ? { DPoP: dev.proofKeys.proof({ key: dpop, htm: 'POST', htu: `${issuer}/oauth2/token` }) } : {}),
    },
    body: new URLSearchParams({
      grant_type: 'authorization_code', client_id: clientId, code, code_verifier: verifier, redirect_uri: redirectUri,
      ...(client.client_secret ? { client_secret: client.client_secret } : {}),
    }).toString(),
  });
  if (answer.status !== 200) throw new Error(`no tokens: ${answer.body}`);
  return { ...JSON.parse(answer.body), session: session.id, sub: session.sub };
}
