// Small helpers for node's HTTP servers: reading bodies, sending answers, and handing a changed request on.

import { Readable } from 'node:stream';

/** What Authgear sends with every answer that holds something private. */
export const NO_STORE = { 'Cache-Control': 'no-store', Pragma: 'no-cache' };

export async function readBody(req, limit = 1 << 20) {
  const chunks = [];
  let size = 0;
  for await (const chunk of req) {
    size += chunk.length;
    if (size > limit) throw new Error('request body over the limit');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function send(res, status, headers, body = '') {
  res.statusCode = status;
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body);
  if (status !== 204 && status !== 304) res.setHeader('Content-Length', bytes.length);
  res.end(bytes);
}

export function sendJson(res, status, value, headers = {}) {
  send(res, status, { 'Content-Type': 'application/json', ...headers }, `${JSON.stringify(value)}\n`);
}

/** Authgear's own endpoints (not OAuth's) report errors in this form. */
export function sendApiError(res, status, name, reason, message, trackingId) {
  const error = { name, reason, message, code: status };
  if (trackingId) error.tracking_id = trackingId;
  send(res, status, { 'Content-Type': 'application/json', ...NO_STORE }, JSON.stringify({ error }));
}

/**
 * A request like `req`, whose body was read already, with another URL, headers or body. oidc-provider reads its
 * body from the stream and warns when it finds it consumed, so it gets a stream of its own.
 */
export function rewriteRequest(req, { url = req.url, headers = req.headers, body = Buffer.alloc(0) }) {
  const fake = new Readable({ read() {} });
  fake.push(body);
  fake.push(null);
  for (const name of ['method', 'httpVersion', 'httpVersionMajor', 'httpVersionMinor', 'socket', 'stream']) {
    Object.defineProperty(fake, name, { value: req[name] });
  }
  fake.url = url;
  fake.headers = { ...headers };
  delete fake.headers['transfer-encoding'];
  if (body.length > 0) fake.headers['content-length'] = String(body.length);
  return fake;
}

/** Holds back what a handler answers, so that it can be spoilt after the server has acted. */
export function capture(res) {
  const chunks = [];
  const original = { write: res.write, end: res.end, writeHead: res.writeHead };
  let done;
  const finished = new Promise((resolve) => { done = resolve; });
  res.write = (chunk, encoding) => {
    chunks.push(Buffer.from(chunk, typeof encoding === 'string' ? encoding : undefined));
    return true;
  };
  res.end = (chunk, encoding) => {
    if (chunk !== undefined && chunk !== null && typeof chunk !== 'function') res.write(chunk, encoding);
    done();
    return res;
  };
  res.writeHead = (status, headers) => {
    res.statusCode = status;
    for (const [name, value] of Object.entries(headers ?? {})) res.setHeader(name, value);
    return res;
  };
  return {
    finished,
    body: () => Buffer.concat(chunks),
    restore: () => Object.assign(res, original),
  };
}

/** Percent- and plus-decoded form or query, the last one winning where a name is repeated. */
export function parseForm(text) {
  return Object.fromEntries(new URLSearchParams(text));
}

export function bearerOf(req) {
  return /^bearer +(\S+)$/i.exec(req.headers.authorization ?? '')?.[1];
}
