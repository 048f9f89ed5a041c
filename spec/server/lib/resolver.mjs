// The resolver: says in headers whose session a request's token belongs to. It always answers 200.

import { NO_STORE, send } from './http.mjs';

function sessionHeaders(dev, record) {
  const user = dev.state.usersBySub.get(record.sub);
  const session = dev.state.sessions.get(record.sessionId);
  if (!user || !session) return {};
  return {
    'X-Authgear-Session-Valid': 'true',
    'X-Authgear-User-Id': user.sub,
    'X-Authgear-User-Anonymous': String(user.anonymous),
    'X-Authgear-User-Verified': String(user.verified),
    'X-Authgear-User-Can-Reauthenticate': String(user.canReauthenticate),
    'X-Authgear-Session-Authenticated-At': String(session.authTime),
    'X-Authgear-Session-Amr': '',
    ...(user.roles.length ? { 'X-Authgear-User-Roles': user.roles.join(',') } : {}),
  };
}

/** The project is known by its Host: with another one a good token counts as none. */
export function resolve(dev, req, res, info) {
  const host = req.headers[':authority'] ?? req.headers.host;
  const own = dev.issuers().some((issuer) => new URL(issuer).host === host);
  const record = own ? dev.state.check(info.bearer) : undefined;
  let headers = {};
  if (record) headers = sessionHeaders(dev, record);
  else if (own && !info.bearer && /(^|; *)session=/.test(req.headers.cookie ?? '')) {
    headers = { 'X-Authgear-Session-Valid': 'false' };
  }
  send(res, 200, headers);
}

export function resolverHandler(dev) {
  return async (req, res, url, info) => {
    if (url.pathname === '/resolve') resolve(dev, req, res, info);
    else send(res, 404, { 'Content-Type': 'text/plain', ...NO_STORE }, 'not found\n');
  };
}
