// The control API: how a spec sets the server up, makes it misbehave, and asks what happened. JSON in, JSON out.

import { deviceJwt } from './anonymous.mjs';
import { getOffset, setOffset } from './clock.mjs';
import { readBody, send } from './http.mjs';
import { fingerprint } from './keys.mjs';
import { makeSession, visit } from './browser.mjs';

function sessionView(dev, session) {
  const { clientId: client, id, revoked, ttl } = session;
  return { session: id, client, user: dev.state.usersBySub.get(session.sub)?.name, sub: session.sub, revoked, ttl };
}

async function reset(dev, { sessions = false }) {
  dev.faults.clear();
  dev.log.clear();
  dev.state.resetSettings();
  dev.strict.reset();
  setOffset(0);
  if (sessions) await dev.revoke(dev.state.sessionsWhere({}));
  return {};
}

function settings(dev, body) {
  const { state } = dev;
  if (typeof body.ttl === 'number') state.ttl = { '*': body.ttl };
  else if (body.ttl) Object.assign(state.ttl, body.ttl);
  if (body.rotate) Object.assign(state.rotate, body.rotate);
  if (body.clock_offset !== undefined) setOffset(body.clock_offset);
  if (body.require_nonce !== undefined) dev.strict.requireNonce = body.require_nonce;
  if (body.exp_rounding) state.expRounding = body.exp_rounding;
  return { ttl: state.ttl, rotate: state.rotate, clock_offset: getOffset(), exp_rounding: state.expRounding };
}

function login(dev, body) {
  const { login: now } = dev.state;
  if (body.user !== undefined) now.user = body.user;
  if (body.interactive !== undefined) now.interactive = body.interactive;
  if (body.error !== undefined) {
    now.error = body.error || undefined;
    now.error_description = body.error_description;
    now.times = body.times ?? 1;
  }
  return now;
}

function users(dev, body) {
  const user = dev.state.user(body.name);
  const fields = {
    anonymous: 'anonymous', verified: 'verified', can_reauthenticate: 'canReauthenticate', roles: 'roles',
    claims: 'claims', custom_attributes: 'customAttributes',
  };
  for (const [from, to] of Object.entries(fields)) if (body[from] !== undefined) user[to] = body[from];
  return { name: user.name, sub: user.sub, actions: user.actions };
}

function clients(dev, body) {
  const client = dev.state.clients.get(body.client_id);
  if (!client) throw new Error(`no such client: ${body.client_id}`);
  for (const uri of body.redirect_uris ?? []) client.redirectUris.add(uri);
  for (const uri of body.remove_redirect_uris ?? []) client.redirectUris.delete(uri);
  return { client_id: client.client_id, redirect_uris: [...client.redirectUris] };
}

function check(dev, body) {
  const record = dev.state.check(body.access_token);
  const known = body.access_token ? record : undefined;
  return { active: Boolean(known), ...(known ? { session: known.sessionId, sub: known.sub, exp: known.exp } : {}) };
}

/** Which sessions and refresh tokens exist: fingerprints, so that a spec can tell which stored token is the live one. */
async function sessions(dev) {
  const views = dev.state.sessionsWhere({}).map((session) => sessionView(dev, session));
  for (const view of views) {
    view.refresh_tokens = [...dev.provider.RefreshToken.adapter.items.values()]
      .filter((token) => token.grantId === view.session).map((token) => fingerprint(token.jti));
  }
  return views;
}

const ROUTES = {
  'GET /': (dev) => dev.ready,
  'POST /reset': reset,
  'GET /counters': (dev) => dev.log.counters,
  'GET /log': (dev, body, query) => dev.log.since(Number(query.get('since') ?? 0), {
    target: query.get('target'), event: query.get('event'), tag: query.get('tag'),
  }),
  'GET /faults': (dev) => dev.faults.list,
  'POST /faults': (dev, body) => (Array.isArray(body) ? body : [body]).map((fault) => dev.faults.add(fault)),
  'DELETE /faults': (dev) => { dev.faults.clear(); return {}; },
  'POST /release': (dev) => ({ released: dev.faults.release() }),
  'POST /session': (dev, body) => makeSession(dev, body),
  'GET /sessions': sessions,
  'POST /revoke': async (dev, body) => ({ revoked: await dev.revoke(dev.state.sessionsWhere(body)) }),
  'POST /expire': (dev, body) => ({ expired: dev.state.expire(dev.state.sessionsWhere(body)) }),
  'POST /check': check,
  'GET /settings': (dev) => settings(dev, {}),
  'POST /settings': settings,
  'POST /login': login,
  'POST /users': users,
  'POST /clients': clients,
  'POST /proof': (dev, body) => ({ proof: dev.proofKeys.proof(body) }),
  'POST /device_jwt': (dev, body) => deviceJwt(body),
  'POST /visit': (dev, body) => visit(dev, body),
  'POST /stop': (dev) => { setImmediate(() => dev.stop()); return {}; },
};

export function controlHandler(dev) {
  return async (req, res) => {
    const url = new URL(req.url, 'http://host');
    const text = (await readBody(req)).toString();
    const act = ROUTES[`${req.method} ${url.pathname}`];
    let status = 200;
    let answer;
    try {
      if (!act) throw new Error(`no such control: ${req.method} ${url.pathname}`);
      answer = await act(dev, text ? JSON.parse(text) : {}, url.searchParams);
    } catch (error) {
      status = 400;
      answer = { error: error.message };
    }
    send(res, status, { 'Content-Type': 'application/json', Connection: 'close' }, JSON.stringify(answer));
  };
}
