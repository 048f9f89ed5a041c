// An application server to call: paths under /public/ for anybody, everything else for who has a good access token.
// Each path answers in one particular way; README.md lists them.

import { createHash } from 'node:crypto';
import { deflateSync, gzipSync } from 'node:zlib';
import { drop } from './faults.mjs';
import { readBody, send, sendJson } from './http.mjs';

const BODY_LIMIT = 64 << 20;
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const filler = (n) => Buffer.alloc(n, 'abcdefghijklmnopqrstuvwxyz012345');

function unauthorized(res) {
  sendJson(res, 401, { error: 'unauthorized' }, { 'WWW-Authenticate': 'Bearer error="invalid_token"' });
}

/** The request as it arrived, for whoever wants to see what was sent. */
async function echo({ req, res, url, info, record }) {
  const body = await readBody(req, BODY_LIMIT);
  const headers = Object.fromEntries(Object.entries(req.headers).filter(([name]) => !name.startsWith(':')));
  sendJson(res, 200, {
    method: req.method, path: url.pathname, query: Object.fromEntries(url.searchParams), raw_url: req.url,
    http_version: req.httpVersion, headers, raw_headers: req.rawHeaders,
    body: body.length <= 65536 ? body.toString() : null, body_base64: body.length <= 65536 ? body.toString('base64') : null,
    body_bytes: body.length, body_sha256: createHash('sha256').update(body).digest('hex'),
    authorization: req.headers.authorization !== undefined, bearer: info.bearer ?? null,
    token_valid: Boolean(record), sub: record?.sub ?? null, client_id: record?.clientId ?? null,
  });
}

/** Reads the body as it comes and never holds it. */
async function upload({ req, res }) {
  const hash = createHash('sha256');
  let bytes = 0;
  let chunks = 0;
  for await (const chunk of req) {
    hash.update(chunk);
    bytes += chunk.length;
    chunks += 1;
  }
  sendJson(res, 200, {
    bytes, chunks, sha256: hash.digest('hex'), content_length: req.headers['content-length'] ?? null,
    transfer_encoding: req.headers['transfer-encoding'] ?? null,
  });
}

async function big({ res, url }) {
  const n = Number(url.searchParams.get('n') ?? 1 << 20);
  res.setHeader('Content-Type', 'application/octet-stream');
  if (!url.searchParams.has('chunked')) res.setHeader('Content-Length', n);
  const block = filler(65536);
  const closed = new Promise((resolve) => { res.once('close', resolve); });
  for (let left = n; left > 0 && !res.destroyed; left -= block.length) {
    if (!res.write(left >= block.length ? block : block.subarray(0, left))) {
      await Promise.race([new Promise((resolve) => { res.once('drain', resolve); }), closed]);
    }
  }
  res.end();
}

/** `n` chunks of `bytes`, one every `ms`. */
async function stream({ res, url }) {
  const get = (name, otherwise) => Number(url.searchParams.get(name) ?? otherwise);
  res.setHeader('Content-Type', 'text/plain');
  for (let i = 0; i < get('n', 5) && !res.destroyed; i += 1) {
    res.write(url.searchParams.has('bytes') ? filler(get('bytes', 1)) : `chunk ${i + 1}\n`);
    await sleep(get('ms', 10));
  }
  res.end();
}

function compressed(encoding, compress) {
  return async ({ res, url }) => {
    const n = Number(url.searchParams.get('n') ?? 0);
    const body = n > 0 ? Buffer.alloc(n, 'a') : Buffer.from('{"compressed":true}\n');
    send(res, 200, { 'Content-Type': 'application/json', 'Content-Encoding': encoding }, compress(body));
  };
}

/**
 * /redirect/CODE?to=URL, or instead of `to`: `n` (that many hops, then /public/echo), `loop`, `cross` (the other
 * origin), `path` (on this origin).
 */
async function redirect({ req, res, url, rest, base, otherBase }) {
  const query = url.searchParams;
  const status = Number(rest) || 302;
  await readBody(req, BODY_LIMIT);
  let to = query.get('to') ?? query.get('path') ?? '/public/echo';
  if (query.has('loop')) to = `${url.pathname}${url.search}`;
  else if (query.has('cross')) to = `${otherBase}${query.get('cross') || '/public/echo'}`;
  else if (Number(query.get('n')) > 1) to = `${base}${url.pathname}?n=${Number(query.get('n')) - 1}`;
  send(res, status, { Location: to, 'Content-Type': 'text/plain' }, 'moved\n');
}

async function headers({ res, url }) {
  const n = Number(url.searchParams.get('n') ?? 10);
  const size = Number(url.searchParams.get('size') ?? 100);
  const extra = {};
  for (let i = 1; i <= n; i += 1) extra[`X-Filler-${i}`] = 'x'.repeat(size);
  res.setHeader('X-Twice', ['one', 'two']);
  sendJson(res, 200, { headers: n }, extra);
}

/** Exactly these bytes: ?b64=...&type=...&status=... */
async function bytes({ res, url }) {
  const query = url.searchParams;
  send(res, Number(query.get('status') ?? 200), { 'Content-Type': query.get('type') ?? 'application/json' },
    Buffer.from(query.get('b64') ?? '', 'base64'));
}

async function status({ req, res, rest }) {
  await readBody(req, BODY_LIMIT);
  const code = Number(rest) || 200;
  const more = code === 401 ? { 'WWW-Authenticate': 'Bearer error="invalid_token"' } : {};
  if (code === 429 || code === 503) more['Retry-After'] = '1';
  send(res, code, { 'Content-Type': 'application/json', ...more }, code === 204 || code === 304 ? '' : `{"status":${code}}\n`);
}

async function shortLength({ req, res }) {
  res.setHeader('Content-Length', 100);
  res.write('only this', () => drop(req, false));
}

const PATHS = {
  hello: async ({ req, res, record }) => {
    await readBody(req, BODY_LIMIT);
    sendJson(res, 200, { hello: record?.sub ?? 'world', client_id: record?.clientId ?? null });
  },
  echo,
  upload,
  big,
  stream,
  redirect,
  headers,
  bytes,
  status,
  gzip: compressed('gzip', gzipSync),
  deflate: compressed('deflate', deflateSync),
  slow: async ({ res, url }) => {
    await sleep(Number(url.searchParams.get('ms') ?? 1000));
    if (!res.destroyed) sendJson(res, 200, { slow: true });
  },
  drip: async ({ res, url }) => {
    const n = Number(url.searchParams.get('n') ?? 10);
    res.setHeader('Content-Length', n);
    for (let i = 0; i < n && !res.destroyed; i += 1) {
      res.write('.');
      await sleep(Number(url.searchParams.get('ms') ?? 20));
    }
    res.end();
  },
  always401: async ({ req, res }) => {
    await readBody(req, BODY_LIMIT);
    unauthorized(res);
  },
  close: async ({ req }) => drop(req, false),
  reset: async ({ req }) => drop(req, true),
  hang: async () => new Promise(() => {}),
  short: shortLength,
};

/** /api/NAME and /public/NAME; the other names work without a prefix as well and want a token like /api/. */
function split(path) {
  const [, first, ...more] = path.split('/');
  const prefixed = first === 'api' || first === 'public';
  const [name, rest] = prefixed ? more : [first, more[0]];
  return { open: first === 'public', name, rest };
}

export function appHandler(dev, bases) {
  return async (req, res, url, info) => {
    const { open, name, rest } = split(url.pathname);
    const record = dev.state.check(info.bearer);
    info.client = record?.clientId;
    const act = Object.hasOwn(PATHS, name ?? '') ? PATHS[name] : undefined;
    if (!open && !record && act) {
      req.resume();
      unauthorized(res);
    } else if (act) {
      const [base, otherBase] = bases(req);
      await act({ req, res, url, info, record, rest, base, otherBase });
    } else {
      req.resume();
      sendJson(res, 404, { error: 'not_found' });
    }
  };
}

const benchBodies = new Map();

/** GET /bench?n=BYTES, for measuring clients: nothing is checked, logged or made anew. */
export function bench(req, res) {
  if (!req.url.startsWith('/bench')) return false;
  const n = Number(/[?&]n=(\d+)/.exec(req.url)?.[1] ?? 200);
  if (!benchBodies.has(n)) benchBodies.set(n, filler(n));
  res.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': n });
  res.end(benchBodies.get(n));
  return true;
}
