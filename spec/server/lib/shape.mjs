// Gives oidc-provider's answers the form that was recorded from Authgear: statuses, headers, error texts, fields.

import { errors } from 'oidc-provider';
import { idTokenPayload } from './claims.mjs';
import { NO_STORE } from './http.mjs';
import { fingerprint, signJwt } from './keys.mjs';
import { SETTINGS_GRANT, deviceClaims, noteCode } from './pages.mjs';

export const ID_TOKEN_GRANT = 'urn:authgear:params:oauth:grant-type:id-token';

/** A new ID token for who holds a good access token. */
export async function idTokenGrant(dev, ctx) {
  const record = dev.state.check(ctx.req.info.bearer);
  if (!record?.sessionId) throw new errors.InvalidGrant('invalid session');
  const session = dev.state.sessions.get(record.sessionId);
  const user = dev.state.usersBySub.get(session.sub);
  ctx.body = {
    id_token: signJwt(dev.key, idTokenPayload({ user, session, issuer: dev.issuerOf(ctx.req), more: deviceClaims(session) })),
  };
}

function grantErrorText(dev, { error, error_description: description }, form) {
  const client = dev.state.clients.get(form.client_id);
  if (error === 'invalid_client') {
    return client ? ['invalid_request', 'invalid client secret'] : [error, 'invalid client ID'];
  }
  if (error === 'invalid_grant') {
    const what = { authorization_code: 'authorization code', refresh_token: 'refresh token' }[form.grant_type];
    return [error, what ? `invalid ${what}` : 'invalid session'];
  }
  if (error === 'invalid_request' && form.grant_type === 'refresh_token' && !form.refresh_token) {
    return [error, 'refresh token is required'];
  }
  return [error, description];
}

function shapeTokenError(dev, ctx) {
  const { info } = ctx.req;
  const [error, description] = grantErrorText(dev, ctx.body, { ...info.form, client_id: info.client });
  ctx.body = { error, ...(description ? { error_description: description } : {}) };
  ctx.status = 400;
  info.outcome = { error };
}

/** Keeps what the token endpoint has given out, and leaves out what Authgear doesn't say. */
function shapeTokens(dev, ctx) {
  const { info } = ctx.req;
  const { body } = ctx;
  const { RefreshToken: refreshToken, Grant: grant } = ctx.oidc.entities;
  if (body.access_token) {
    const exp = info.exp ?? dev.state.expiry(body.expires_in);
    dev.state.addToken(body.access_token, {
      sessionId: grant?.jti, clientId: info.client, sub: grant?.accountId ?? info.sub, scope: body.scope, exp,
    });
  }
  if (grant) delete body.scope;
  const session = dev.state.sessions.get(grant?.jti);
  const secret = (session?.anew ?? session)?.deviceSecret;
  if (secret && info.form.grant_type === 'authorization_code') body.device_secret = secret;
  if (session && info.jkt) session.jkt = info.jkt;
  info.outcome = { session: grant?.jti };
  if (info.form.grant_type === 'refresh_token') {
    info.outcome.rotated = dev.state.rotates(info.client);
    info.outcome.old = fingerprint(info.form.refresh_token);
    if (info.outcome.rotated) info.outcome.new = fingerprint(body.refresh_token);
    else delete body.refresh_token;
  } else if (refreshToken) {
    info.outcome.new = fingerprint(body.refresh_token);
  }
}

const DESCRIPTIONS = { login_required: 'authentication required' };

/** No `iss` in callbacks, Authgear's words for what went wrong, and an HTML body whatever the client accepts. */
function shapeRedirect(ctx) {
  let location = ctx.response.get('location').replace(/([?&#])iss=[^&#]*&?/, '$1').replace(/[?&#]$/, '');
  const error = /[?&#]error=([^&#]*)/.exec(location)?.[1];
  if (DESCRIPTIONS[error]) {
    const text = DESCRIPTIONS[error].replaceAll(' ', '+');
    location = location.replace(/error_description=[^&#]*/, `error_description=${text}`);
  }
  ctx.set('Location', location);
  ctx.body = `<!DOCTYPE html><html><body><a href="${location.replaceAll('&', '&amp;').replaceAll('"', '&quot;')}">`
    + 'Continue</a></body></html>';
  ctx.type = 'text/html; charset=utf-8';
}

/** The koa middleware around oidc-provider. */
export async function shapeAnswers(dev, ctx, next) {
  await next();
  ctx.set(NO_STORE);
  if (ctx.path === '/oauth2/token') {
    if (ctx.body?.error) shapeTokenError(dev, ctx);
    else if (ctx.status === 200 && ctx.req.info.form.grant_type === SETTINGS_GRANT) ctx.body = {};
    else if (ctx.status === 200) shapeTokens(dev, ctx);
    if (ctx.body && typeof ctx.body === 'object') ctx.set('Content-Type', 'application/json');
    ctx.remove('WWW-Authenticate');
  } else if (ctx.response.get('location')) {
    shapeRedirect(ctx);
    await noteCode(dev, ctx, ctx.response.get('location'));
    // The first hop, to the server's own pages, was seen as a 302; those to the client as a 303.
    if (ctx.response.get('location').includes('/_internals/')) ctx.status = 302;
    dev.login.shapeCookies(ctx);
  }
}
