// Faults on order. A fault waits for a matching request and then spoils it: `before` the server has acted on it
// (nothing has changed) or `after` (a refresh token is rotated, a session revoked, and only the answer is lost).

import { randomBytes } from 'node:crypto';
import { capture } from './http.mjs';

const KINDS = new Set([
  'slow', 'hang', 'reset', 'close', 'close_kept', 'truncate', 'garbage', 'not_http', 'status', '429', 'drip',
  'empty', 'big', 'redirect', 'answer', 'patch', 'hold',
]);
/** These spoil an answer, so there must be one. */
const NEEDS_ANSWER = new Set(['truncate', 'drip', 'patch']);

/** These change nothing but when the answer comes. */
const LATE = new Set(['slow', 'hold']);

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export class Faults {
  constructor() {
    this.held = [];
    this.clear();
  }

  clear() {
    this.list = [];
    this.next = 0;
    this.release();
  }

  /** Requests that are held wait here. */
  hold() { return new Promise((resolve) => { this.held.push(resolve); }); }

  /** Lets all that are held go on: how many. */
  release() {
    const all = this.held;
    this.held = [];
    for (const go of all) go();
    return all.length;
  }

  add(fault) {
    if (!KINDS.has(fault.kind)) throw new Error(`unknown kind of fault: ${fault.kind}`);
    const when = fault.when ?? (NEEDS_ANSWER.has(fault.kind) ? 'after' : 'before');
    if (!['before', 'after'].includes(when)) throw new Error('when must be before or after');
    if (NEEDS_ANSWER.has(fault.kind) && when === 'before') throw new Error(`${fault.kind} is always after`);
    this.next += 1;
    const added = { times: 1, skip: 0, ...fault, when, id: this.next, fired: 0 };
    this.list.push(added);
    return added;
  }

  /** The first fault in force for this request; taking it uses it up once. */
  take(info, kept) {
    for (const fault of this.list) {
      if (fault.fired >= fault.times || !matches(fault, info)) continue;
      if (fault.kind === 'close_kept' && !kept) continue;
      if (fault.skip > 0) {
        fault.skip -= 1;
        continue;
      }
      fault.fired += 1;
      return fault;
    }
    return undefined;
  }
}

function matches(fault, info) {
  return (fault.target === undefined || fault.target === info.target)
    && (fault.client === undefined || fault.client === info.client)
    && (fault.grant === undefined || fault.grant === info.grant)
    && (fault.tag === undefined || fault.tag === info.tag)
    && (fault.method === undefined || fault.method === info.method)
    && (fault.path === undefined || info.path.startsWith(fault.path));
}

/** The TCP socket under a request, whatever is on top of it (TLS, HTTP/2). */
function tcpSocket(req) {
  const socket = req.stream?.session?.socket ? req.stream.session[Symbol.for('dev.socket')] : req.socket;
  return socket.encrypted ? socket._parent : socket;
}

/** Ends the connection without an answer: with RST, or in good order. */
export function drop(req, reset) {
  const socket = tcpSocket(req);
  if (reset) socket.resetAndDestroy();
  else if (req.stream?.session) req.stream.session.destroy();
  else req.socket.destroy();
}

function jsonPatch(body, patch) {
  const value = JSON.parse(body.toString());
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) delete value[key];
    else value[key] = change;
  }
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

function end(res, status, headers, body = '') {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body);
  res.statusCode = status;
  for (const [name, value] of Object.entries(headers)) {
    if (value === null) res.removeHeader(name);
    else res.setHeader(name, value);
  }
  if (!res.hasHeader('Content-Length')) res.setHeader('Content-Length', bytes.length);
  res.end(bytes);
}

async function dripOut(res, body, fault) {
  const { ms = 20, bytes = 1 } = fault;
  res.setHeader('Content-Length', body.length);
  for (let at = 0; at < body.length && !res.destroyed; at += bytes) {
    res.write(body.subarray(at, at + bytes));
    await sleep(ms);
  }
  res.end();
}

/** Half of what was promised, then the end of the connection. */
function truncate(req, res, body, fault) {
  res.setHeader('Content-Length', Math.max(body.length, 2));
  const half = body.subarray(0, fault.bytes ?? Math.floor(body.length / 2));
  res.write(half.length > 0 ? half : Buffer.from(' '), () => drop(req, false));
}

const GARBAGE = '{"access_token": "half a tok\u0000en", ]]';

function synthetic(fault) {
  const json = { 'Content-Type': 'application/json' };
  switch (fault.kind) {
    case 'status': return [fault.status ?? 503, { 'Content-Type': 'text/html' }, fault.body ?? '<h1>Unavailable</h1>'];
    case '429': return [429, { ...json, 'Retry-After': String(fault.retry_after ?? 1) },
      '{"error":"too_many_requests","error_description":"slow down"}'];
    case 'garbage': return [200, json, fault.binary ? randomBytes(256) : GARBAGE];
    case 'empty': return [fault.status ?? 200, json, ''];
    case 'big': return [200, json, Buffer.alloc(fault.bytes ?? 1 << 24, ' ')];
    case 'redirect': return [fault.status ?? 302, { Location: fault.location }, ''];
    default: return [fault.status ?? 200, { ...json, ...fault.headers },
      fault.body_base64 ? Buffer.from(fault.body_base64, 'base64') : fault.body ?? ''];
  }
}

/** Spoils the answer. `body` is what the server meant to say, undefined where it hasn't acted. */
async function spoil(fault, req, res, body) {
  switch (fault.kind) {
    case 'hang': return; // the connection stays open until the client gives up
    case 'reset': drop(req, true); return;
    case 'close': case 'close_kept': drop(req, false); return;
    case 'not_http':
      if (!req.stream?.session) req.socket.write(randomBytes(64));
      drop(req, false);
      return;
    case 'truncate': truncate(req, res, body, fault); return;
    case 'drip': await dripOut(res, body, fault); return;
    case 'patch': res.removeHeader('Content-Length'); end(res, res.statusCode, {}, jsonPatch(body, fault.patch)); return;
    default: {
      const [status, headers, text] = synthetic(fault);
      for (const name of res.getHeaderNames()) res.removeHeader(name);
      end(res, status, headers, text);
    }
  }
}

/** How long the right answer is kept back. */
function delay(faults, fault) { return fault.kind === 'hold' ? faults.hold() : sleep(fault.ms ?? 1000); }

/** Runs `act` for the request, spoilt by the fault if there is one. */
export async function withFault(faults, fault, req, res, act) {
  if (!fault) {
    await act();
    return;
  }
  if (fault.when === 'before') {
    if (LATE.has(fault.kind)) {
      await delay(faults, fault);
      await act();
    } else {
      await spoil(fault, req, res);
    }
    return;
  }
  const answer = capture(res);
  await act();
  await answer.finished;
  answer.restore();
  if (LATE.has(fault.kind)) {
    await delay(faults, fault);
    end(res, res.statusCode, {}, answer.body());
  } else {
    await spoil(fault, req, res, answer.body());
  }
}
