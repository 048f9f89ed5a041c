// The server's pages as a logged-in program opens them: settings actions, pages by app session token, and other
// applications' pages by pre-authenticated URL. Nobody is asked anything: what the page is for has been done when it is opened.

import { send, NO_STORE } from './http.mjs';
import { idTokenPayload } from './claims.mjs';
import { randomText, sha256Hex, signJwt } from './keys.mjs';

const SETTINGS_RESPONSE = 'urn:authgear:params:oauth:response-type:settings-action';
const PRE_AUTHENTICATED_RESPONSE = 'urn:authgear:params:oauth:response-type:pre-authenticated-url token';
const PRE_AUTHENTICATED_TOKEN = 'urn:authgear:params:oauth:token-type:pre-authenticated-url-token';
export const SETTINGS_GRANT = 'urn:authgear:params:oauth:grant-type:settings-action';
export const EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';

const COOKIE = 'app_session';
const ACTIONS = new Set([
  'change_password', 'delete_account', 'add_email', 'add_phone', 'add_username', 'change_email', 'change_phone',
  'change_username', 'link_oauth', 'unlink_oauth',
]);

/** The live session of an app session token, which serves once. */
function takeAppSession(dev, hint) {
  let url;
  try { url = new URL(hint); } catch { return undefined; }
  if (url.searchParams.get('type') !== 'app_session_token') return undefined;
  const token = url.searchParams.get('app_session_token');
  const known = dev.state.appSessionTokens.get(token);
  dev.state.appSessionTokens.delete(token);
  const session = known && known.exp * 1000 > Date.now() && dev.state.sessions.get(known.sessionId);
  return session && !session.revoked ? session : undefined;
}

function refuse(res, text) {
  send(res, 400, { 'Content-Type': 'text/plain; charset=utf-8', ...NO_STORE },
    `Invalid OAuth authorization request:\nerror: invalid_request\nerror_description: ${text}\n`);
}

/** The browser goes on to the page as that session's user. */
function goTo(dev, res, url, session) {
  const cookie = randomText();
  dev.state.browserSessions.set(cookie, session);
  send(res, 302, { Location: url, 'Set-Cookie': `${COOKIE}=${cookie}; Path=/; HttpOnly`, ...NO_STORE });
}

/** Other applications' pages: a token that the exchange gave, for the user of the ID token that it gave with it. */
function openPreAuthenticated(dev, res, query) {
  const token = query.get('x_pre_authenticated_url_token');
  const known = dev.state.preAuthenticatedTokens.get(token);
  dev.state.preAuthenticatedTokens.delete(token);
  const client = dev.state.clients.get(query.get('client_id'));
  if (!client?.redirectUris.has(query.get('redirect_uri'))) return refuse(res, 'redirect URI is not allowed');
  if (!known || known.idToken !== query.get('id_token_hint') || query.get('response_mode') !== 'cookie'
      || query.get('prompt') !== 'none') {
    return refuse(res, 'invalid pre-authenticated URL token');
  }
  return goTo(dev, res, query.get('redirect_uri'), known.session);
}

/**
 * An authorization request that oidc-provider does not know. Answers true when it has been answered; else `url` has
 * become one that it does know: a settings action is a login of that user, whose code is marked.
 */
export function authorizeOwn(dev, res, url, info) {
  const query = url.searchParams;
  const type = query.get('response_type');
  if (type === PRE_AUTHENTICATED_RESPONSE) {
    openPreAuthenticated(dev, res, query);
    return true;
  }
  if (type !== SETTINGS_RESPONSE && !(type === 'none' && query.has('login_hint'))) return false;
  const session = takeAppSession(dev, query.get('login_hint'));
  if (!session) refuse(res, 'invalid app session token');
  else if (type === 'none' && !query.get('redirect_uri')?.startsWith(`${dev.issuerOf(res.req)}/`)) refuse(res, 'redirect URI is not allowed');
  else if (type === 'none') goTo(dev, res, query.get('redirect_uri'), session);
  else if (!ACTIONS.has(query.get('x_settings_action'))) refuse(res, 'unknown settings action');
  else {
    query.set('response_type', 'code');
    query.set('x_dev_user', dev.state.usersBySub.get(session.sub).name);
    query.delete('login_hint');
    info.rewritten = true;
    return false;
  }
  return true;
}

/** The settings pages: who is logged in, as the browser's cookie says. */
export function settingsPage(dev, req, res) {
  const cookie = new RegExp(`(?:^|; *)${COOKIE}=([^;]*)`).exec(req.headers.cookie ?? '')?.[1];
  const session = dev.state.browserSessions.get(cookie);
  const user = session && dev.state.usersBySub.get(session.sub);
  if (user) send(res, 200, { 'Content-Type': 'text/plain; charset=utf-8', ...NO_STORE }, `settings of ${user.name}\n`);
  else send(res, 401, { 'Content-Type': 'text/plain; charset=utf-8', ...NO_STORE }, 'nobody is logged in\n');
}

/** A code was given out: whatever its settings action was for has been done on the page. */
export async function noteCode(dev, ctx, location) {
  const code = /[?&]code=([^&#]*)/.exec(location)?.[1];
  const { x_settings_action: action, x_settings_action_query: query, x_oauth_provider_alias: alias } = ctx.oidc?.params ?? {};
  if (!code || !action) return;
  const grantId = ctx.oidc.entities.Grant?.jti;
  const { sub } = dev.state.sessions.get(grantId);
  const user = dev.state.usersBySub.get(sub);
  user.actions.push({ action, query, alias });
  dev.state.actionCodes.set(code, action);
  if (action !== 'delete_account') return;
  await dev.revoke(dev.state.sessionsWhere({ user: user.name }).filter((session) => session.id !== grantId));
}

/** A code is for one grant only. Gives the form that oidc-provider understands, or undefined for one that is not allowed. */
export function formForProvider(dev, form) {
  const isAction = dev.state.actionCodes.has(form?.code);
  if (form?.grant_type === SETTINGS_GRANT) return isAction ? { ...form, grant_type: 'authorization_code' } : undefined;
  return form?.grant_type === 'authorization_code' && isAction ? undefined : form;
}

/** The claims that a device secret adds to an ID token, the secret being made if there is none. */
export function deviceClaims(session) {
  if (!session.scope?.split(' ').includes('device_sso')) return {};
  session.deviceSecret ??= randomText();
  return { ds_hash: sha256Hex(session.deviceSecret) };
}

/** ID token and device secret for a token that opens another application's page; both are new afterwards. */
export function exchange(dev, req, res, info) {
  const form = info.form;
  const at = dev.issuerOf(req);
  const fail = (error, text) => {
    info.outcome = { error };
    send(res, 400, { 'Content-Type': 'application/json', ...NO_STORE }, JSON.stringify({ error, error_description: text }));
  };
  let hint;
  try { hint = JSON.parse(Buffer.from(form.subject_token.split('.')[1], 'base64url').toString()); } catch { /* none */ }
  const sid = hint && Buffer.from(String(hint.sid), 'base64url').toString().replace(/^offline_grant:/, '');
  const session = dev.state.sessions.get(sid);
  if (form.audience !== at || form.requested_token_type !== PRE_AUTHENTICATED_TOKEN) return fail('invalid_request', 'invalid token exchange');
  if (!session || session.revoked || session.clientId !== info.client || !session.deviceSecret
      || session.deviceSecret !== form.actor_token || hint.ds_hash !== sha256Hex(form.actor_token)) {
    return fail('invalid_grant', 'invalid device secret');
  }
  session.deviceSecret = randomText();
  const user = dev.state.usersBySub.get(session.sub);
  const idToken = signJwt(dev.key, idTokenPayload({ user, session, issuer: at, more: deviceClaims(session) }));
  const token = randomText();
  dev.state.preAuthenticatedTokens.set(token, { session, idToken });
  info.outcome = { session: session.id };
  return send(res, 200, { 'Content-Type': 'application/json', ...NO_STORE }, JSON.stringify({
    access_token: token, device_secret: session.deviceSecret, expires_in: 300, id_token: idToken,
    issued_token_type: PRE_AUTHENTICATED_TOKEN, token_type: 'Bearer',
  }));
}
