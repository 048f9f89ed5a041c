// The endpoint: oidc-provider where it can serve Authgear's requests, and our own answers where it can't.

import { ANONYMOUS_GRANT, anonymousGrant, challenge, promotionCode, signup } from './anonymous.mjs';
import { userInfo } from './claims.mjs';
import { checkProof } from './dpop.mjs';
import { NO_STORE, rewriteRequest, send, sendApiError, sendJson } from './http.mjs';
import { randomHex, randomText } from './keys.mjs';
import { EXCHANGE_GRANT, authorizeOwn, exchange, formForProvider, settingsPage } from './pages.mjs';
import { resolve } from './resolver.mjs';

const PROOF_AGE = 300; // seconds that the time in a proof may be off

const TARGETS = {
  '/.well-known/openid-configuration': 'discovery',
  '/oauth2/jwks': 'jwks',
  '/oauth2/token': 'token',
  '/oauth2/userinfo': 'userinfo',
  '/oauth2/revoke': 'revoke',
  '/oauth2/end_session': 'end_session',
  '/oauth2/app_session_token': 'app_session_token',
  '/oauth2/challenge': 'challenge',
  '/api/anonymous_user/signup': 'anonymous_signup',
  '/api/anonymous_user/promotion_code': 'promotion_code',
  '/_resolver/resolve': 'resolve',
};

export function targetOf(path) {
  if (TARGETS[path]) return TARGETS[path];
  if (path === '/settings' || path.startsWith('/settings/')) return 'settings';
  return path.startsWith('/oauth2/authorize') || path.startsWith('/_internals/') ? 'authorize' : 'other';
}

function discovery(dev, req, res) {
  const at = dev.issuerOf(req);
  sendJson(res, 200, {
    authorization_endpoint: `${at}/oauth2/authorize`,
    claims_supported: [
      'iss', 'aud', 'iat', 'exp', 'sub', 'email', 'email_verified', 'phone_number', 'phone_number_verified',
      'preferred_username', 'family_name', 'given_name', 'middle_name', 'name', 'nickname', 'picture', 'profile',
      'website', 'gender', 'birthdate', 'zoneinfo', 'locale', 'address', 'updated_at',
    ],
    code_challenge_methods_supported: ['S256'],
    dpop_signing_alg_values_supported: ['ES256', 'RS256'],
    end_session_endpoint: `${at}/oauth2/end_session`,
    grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
    id_token_signing_alg_values_supported: ['RS256'],
    issuer: at,
    jwks_uri: `${at}/oauth2/jwks`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    response_types_supported: ['code', 'urn:authgear:params:oauth:response-type:settings-action', 'none'],
    revocation_endpoint: `${at}/oauth2/revoke`,
    scopes_supported: [
      'offline_access', 'device_sso', 'openid', 'profile', 'email', 'address', 'phone',
      'https://authgear.com/scopes/full-access', 'https://authgear.com/scopes/full-userinfo',
      'https://authgear.com/scopes/pre-authenticated-url',
    ],
    subject_types_supported: ['public'],
    token_endpoint: `${at}/oauth2/token`,
    token_endpoint_auth_methods_supported: ['none', 'client_secret_post', 'client_secret_basic'],
    userinfo_endpoint: `${at}/oauth2/userinfo`,
  });
}

/** oidc-provider's own refuses tokens that have an audience, which all of Authgear's have. */
function userinfo(dev, res, info) {
  const record = dev.state.check(info.bearer);
  const user = record && dev.state.usersBySub.get(record.sub);
  if (!user) {
    // Labelled text/plain by Authgear, though it is JSON.
    sendJson(res, 401, { error: 'invalid_grant', error_description: 'invalid session' }, {
      ...NO_STORE,
      'Content-Type': 'text/plain; charset=utf-8',
      'WWW-Authenticate': 'Bearer error="invalid_grant", error_description="invalid session"',
    });
    return;
  }
  info.outcome = { session: record.sessionId };
  sendJson(res, 200, userInfo(user), NO_STORE);
}

/** Takes any token without asking who has it, and ends its whole session. */
async function revoke(dev, res, info) {
  const token = info.form?.token;
  const record = dev.state.tokens.get(token);
  const known = await dev.provider.RefreshToken.find(token ?? '');
  const session = dev.state.sessions.get(record?.sessionId ?? known?.grantId);
  if (session) await dev.revoke([session]);
  info.outcome = { session: session?.id };
  send(res, 200, NO_STORE);
}

async function appSessionToken(dev, res, info) {
  let token;
  try {
    token = JSON.parse(info.body.toString()).refresh_token;
  } catch { /* answered like an unknown token */ }
  const known = await dev.provider.RefreshToken.find(token ?? '');
  const session = dev.state.sessions.get(known?.grantId);
  if (!session || session.revoked) {
    sendApiError(res, 403, 'Forbidden', 'InvalidGrant', 'invalid refresh token',
      `${randomHex(16)}-${randomHex(8)}`);
    return;
  }
  const appToken = randomText();
  const expires = Date.now() + 300000;
  dev.state.appSessionTokens.set(appToken, { sessionId: session.id, exp: expires / 1000 });
  const result = { app_session_token: appToken, expire_at: new Date(expires).toISOString() };
  send(res, 200, { 'Content-Type': 'application/json', ...NO_STORE }, JSON.stringify({ result }));
}

/**
 * Authgear's policy for DPoP: the refresh token and the code are bound, access tokens are not. Answers false when the
 * request has been refused.
 */
async function checkBinding(dev, req, res, url, info) {
  const { code, refresh_token: refreshToken } = info.form ?? {};
  const id = refreshToken?.split('.')[0] ?? (await dev.provider.AuthorizationCode.find(code ?? ''))?.grantId;
  const session = dev.state.sessions.get(id);
  const bound = refreshToken ? session?.jkt : session?.codeJkt;
  let jkt;
  try {
    if (req.headers.dpop !== undefined || bound) {
      jkt = checkProof(req, { url: `${dev.issuerOf(req)}${url.pathname}`, seen: dev.state.seenProofs, age: PROOF_AGE }).jkt;
      if (bound && jkt !== bound) throw new Error('its key');
    }
  } catch {
    info.outcome = { error: 'invalid_dpop_proof' };
    sendJson(res, 400, { error: 'invalid_dpop_proof', error_description: 'Invalid DPoP key binding' }, NO_STORE);
    return false;
  }
  info.jkt = jkt;
  return true;
}

/** Requests at the same refresh token one after the other: rotating it must not happen twice. */
async function inTurn(dev, key, act) {
  const before = dev.turns.get(key);
  const turn = (async () => {
    await before?.catch(() => {});
    await act();
  })();
  dev.turns.set(key, turn);
  try {
    await turn;
  } finally {
    if (dev.turns.get(key) === turn) dev.turns.delete(key);
  }
}

function sendInvalidGrant(res, info) {
  info.outcome = { error: 'invalid_grant' };
  send(res, 400, { 'Content-Type': 'application/json', ...NO_STORE },
    JSON.stringify({ error: 'invalid_grant', error_description: 'invalid authorization code' }));
}

async function toProvider(dev, req, res, url, info) {
  if (info.target === 'token' && !await checkBinding(dev, req, res, url, info)) return;
  const headers = { ...req.headers };
  let { body } = info;
  if (info.target === 'token') {
    const form = formForProvider(dev, info.form);
    if (!form) {
      sendInvalidGrant(res, info);
      return;
    }
    if (form !== info.form) body = Buffer.from(new URLSearchParams(form).toString());
    // A bearer token here belongs to Authgear's grants; oidc-provider would take it for client authentication.
    if (info.bearer) delete headers.authorization;
    headers.accept = 'application/json';
  } else {
    headers.cookie = dev.login.cookiesFor(req, url, info);
  }
  const forwarded = rewriteRequest(req, { headers, body, url: info.rewritten ? `${url.pathname}${url.search}` : req.url });
  forwarded.info = info;
  const act = () => dev.callback(forwarded, res);
  if (info.form?.refresh_token) await inTurn(dev, info.form.refresh_token.split('.')[0], act);
  else await act();
}

export function endpointHandler(dev) {
  return async (req, res, url, info) => {
    switch (info.target) {
      case 'discovery': discovery(dev, req, res); return;
      case 'jwks': sendJson(res, 200, { keys: [dev.key.publicJwk] }); return;
      case 'userinfo': userinfo(dev, res, info); return;
      case 'revoke': await revoke(dev, res, info); return;
      case 'app_session_token': await appSessionToken(dev, res, info); return;
      case 'challenge': challenge(dev, res, info); return;
      case 'anonymous_signup': await signup(dev, req, res, info); return;
      case 'promotion_code': await promotionCode(dev, res, info); return;
      case 'resolve': resolve(dev, req, res, info); return;
      case 'settings': settingsPage(dev, req, res); return;
      case 'other':
        sendApiError(res, 404, 'NotFound', 'ResourceNotFound', 'specified resource is not configured');
        return;
      default:
        if (info.grant === ANONYMOUS_GRANT) await anonymousGrant(dev, req, res, info);
        else if (info.grant === EXCHANGE_GRANT) exchange(dev, req, res, info);
        else if (url.pathname === '/oauth2/authorize' && authorizeOwn(dev, res, url, info)) return;
        else if (url.pathname.startsWith('/_internals/')) await dev.login.entry(req, res, url, info);
        else await toProvider(dev, req, res, url, info);
    }
  };
}
