// What happens to every request, whichever server it reaches: log it, see whether it is to be spoilt, handle it.

import { getOffset } from './clock.mjs';
import { parseForm, bearerOf, readBody, send } from './http.mjs';
import { withFault } from './faults.mjs';

/** Requests seen on a connection: a second one means that it was kept. */
const seen = new WeakMap();

function isKept(req) {
  const count = (seen.get(req.socket) ?? 0) + 1;
  seen.set(req.socket, count);
  return count > 1;
}

function clientOf(req, form) {
  const basic = /^basic +(\S+)$/i.exec(req.headers.authorization ?? '')?.[1];
  if (basic) return Buffer.from(basic, 'base64').toString().split(':')[0];
  return form?.client_id;
}

async function readForm(req, info) {
  info.body = await readBody(req);
  if ((req.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded')) {
    info.form = parseForm(info.body.toString());
    info.grant = info.form.grant_type;
  }
  info.client = clientOf(req, info.form);
}

function watchAnswer(dev, res, info) {
  let complete = false;
  res.on('finish', () => { complete = true; });
  res.on('close', () => dev.log.answered(info, res.statusCode, complete && !info.fault?.startsWith('truncate')));
}

async function handle(dev, options, req, res) {
  const url = new URL(req.url, 'http://host');
  const target = options.targetOf(url.pathname);
  const internal = req.headers['x-internal'] === dev.secret;
  const info = dev.log.begin(options.name, target, req, url.pathname);
  info.bearer = bearerOf(req);
  info.internal = internal;
  const kept = isKept(req);
  if (getOffset() !== 0) res.setHeader('Date', new Date(Date.now()).toUTCString());
  if (options.readsBody) await readForm(req, info);
  if (internal) {
    await options.handler(req, res, url, info);
    return;
  }
  dev.log.received(info);
  const fault = dev.faults.take(info, kept);
  if (fault) info.fault = `${fault.kind} ${fault.when}`;
  watchAnswer(dev, res, info);
  await withFault(dev.faults, fault, req, res, async () => {
    await options.handler(req, res, url, info);
    dev.log.acted(info, res.statusCode);
  });
}

/** A request listener. options: name, targetOf(path), handler(req, res, url, info), readsBody. */
export function listener(dev, options) {
  return (req, res) => {
    req.on('error', () => {});
    res.on('error', () => {});
    handle(dev, options, req, res).catch((error) => {
      if (req.socket?.destroyed || res.destroyed) return;
      console.error(error);
      if (!res.headersSent) send(res, 500, { 'Content-Type': 'text/plain' }, 'internal error\n');
    });
  };
}
