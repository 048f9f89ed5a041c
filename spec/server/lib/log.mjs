// What happened, in order: every request with the moments at which it was received, acted on and answered.
// Tokens appear as fingerprints only.

import { mono, wall } from './clock.mjs';
import { proofOf } from './dpop.mjs';
import { fingerprint } from './keys.mjs';

const LIMIT = 200000;

export class Log {
  constructor() {
    this.nextRequest = 0;
    this.seq = 0;
    this.clear();
  }

  clear() {
    this.events = [];
    this.counters = { token: {} };
  }

  /** Called when a request's headers are there; its body follows. */
  begin(server, target, req, path) {
    const { headers } = req;
    return {
      id: (this.nextRequest += 1), server, target, method: req.method, path,
      tag: headers['x-test-tag'] ?? headers['x-request-id'], at: { wall: wall(), mono: mono() },
      proof: proofOf(req),
    };
  }

  add(event, info, more = {}) {
    this.seq += 1;
    const { wall: wallTime, mono: monoTime } = more.at ?? { wall: wall(), mono: mono() };
    const { at, ...rest } = more;
    this.events.push({
      seq: this.seq, event, request: info.id, server: info.server, target: info.target, method: info.method,
      path: info.path, tag: info.tag, proof: info.proof, client: info.client, grant: info.grant, wall: wallTime, mono: monoTime, ...rest,
    });
    if (this.events.length > LIMIT) this.events.splice(0, LIMIT / 2);
  }

  received(info) {
    this.add('received', info, { at: info.at, old: fingerprint(info.form?.refresh_token) });
    this.count(info.target, 'requests');
    if (info.target === 'token') this.countGrant(info, 'requests');
  }

  /** The server has changed what it changes; the answer is still to be sent. */
  acted(info, status) {
    const { outcome } = info;
    this.add(outcome?.rotated ? 'rotated' : 'acted', info, { status, ...outcome });
    this.count(info.target, status < 400 ? 'ok' : 'failed');
    if (info.target !== 'token') return;
    this.countGrant(info, status < 400 ? 'ok' : 'failed');
    if (outcome?.rotated) this.countGrant(info, 'rotated');
  }

  /** `complete` is false when the connection ended before the whole answer was handed to the system. */
  answered(info, status, complete) {
    this.add(complete ? 'answered' : 'aborted', info, { status, ...(info.fault ? { fault: info.fault } : {}) });
  }

  count(target, what) {
    if (target === 'token') return;
    this.counters[target] ??= { requests: 0, ok: 0, failed: 0 };
    this.counters[target][what] += 1;
  }

  countGrant(info, what) {
    const grant = info.grant ?? 'none';
    const client = info.client ?? 'none';
    this.counters.token[grant] ??= {};
    this.counters.token[grant][client] ??= { requests: 0, ok: 0, failed: 0, rotated: 0 };
    this.counters.token[grant][client][what] += 1;
  }

  since(seq = 0, { target, event, tag } = {}) {
    return this.events.filter((one) => one.seq > seq && (!target || one.target === target)
      && (!event || one.event === event) && (!tag || one.tag === tag));
  }
}
