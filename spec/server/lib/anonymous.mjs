// Users without an account: challenges, the grant that a device key signs for, signing up without a key, promotion codes,
// and whom a promotion ends with. A device of our own, for specs, is at the end.

import { createPublicKey, generateKeyPairSync, randomUUID, sign, verify } from 'node:crypto';
import { makeSession } from './browser.mjs';
import { NO_STORE, send, sendApiError } from './http.mjs';
import { fingerprint, randomHex, randomText } from './keys.mjs';

export const ANONYMOUS_GRANT = 'urn:authgear:params:oauth:grant-type:anonymous-request';

const LIFE = 300;
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const trackingId = () => `${randomHex(16)}-${randomHex(8)}`;
const invalid = (res, message) => sendApiError(res, 400, 'Invalid', 'Invalid', message, trackingId());

function sendResult(res, result) {
  send(res, 200, { 'Content-Type': 'application/json', ...NO_STORE }, JSON.stringify({ result }));
}

function readJson(info) {
  try { return JSON.parse(info.body.toString()); } catch { return {}; }
}

const expiry = () => new Date(Date.now() + LIFE * 1000).toISOString();

/** A random text, good once and for a few minutes. */
export function challenge(dev, res, info) {
  if (readJson(info).purpose !== 'anonymous_request') {
    invalid(res, 'unknown purpose');
    return;
  }
  const token = [...crypto.getRandomValues(new Uint8Array(32))].map((byte) => CROCKFORD[byte % 32]).join('');
  dev.state.challenges.set(token, Date.now() / 1000 + LIFE);
  sendResult(res, { token, expire_at: expiry() });
}

const decode = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());

/** What a device has signed, or undefined when anything is wrong with it; its challenge is used up. */
function readJwt(dev, jwt, action) {
  let header; let payload; let parts;
  try {
    parts = jwt.split('.');
    [header, payload] = [decode(parts[0]), decode(parts[1])];
  } catch { return undefined; }
  const known = dev.state.deviceKeys.get(header.kid);
  const jwk = known?.jwk ?? header.jwk;
  const until = dev.state.challenges.get(payload.challenge);
  dev.state.challenges.delete(payload.challenge);
  const now = Date.now() / 1000;
  if (parts.length !== 3 || header.typ !== 'vnd.authgear.anonymous-request' || header.alg !== 'ES256' || jwk?.kid !== header.kid
      || jwk.kty !== 'EC' || jwk.d || typeof payload.device_info !== 'object' || payload.action !== action
      || !(until > now) || !(payload.iat <= now + 60 && payload.exp > now && payload.exp - payload.iat <= LIFE)) {
    return undefined;
  }
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const good = verify('sha256', Buffer.from(`${parts[0]}.${parts[1]}`), { key, dsaEncoding: 'ieee-p1363' },
    Buffer.from(parts[2], 'base64url'));
  return good ? { kid: header.kid, jwk, known } : undefined;
}

function newUser(dev) {
  const user = dev.state.user(`anonymous-${randomUUID()}`);
  user.anonymous = true;
  user.canReauthenticate = false;
  return user;
}

async function issue(dev, req, info, user) {
  const { session, sub, ...tokens } = await makeSession(dev, {
    client: info.client, user: user.name, tls: Boolean(req.socket.encrypted),
  });
  info.outcome = { session, new: fingerprint(tokens.refresh_token) };
  return tokens;
}

/** A session for the user of a device key: a new one when the key is new. */
export async function anonymousGrant(dev, req, res, info) {
  const json = { 'Content-Type': 'application/json', ...NO_STORE };
  const fail = (error, text) => {
    info.outcome = { error };
    send(res, 400, json, `${JSON.stringify({ error, error_description: text })}\n`);
  };
  if (!dev.state.clients.has(info.client)) return fail('invalid_client', 'invalid client ID');
  const signed = readJwt(dev, info.form.jwt ?? '', 'auth');
  if (!signed) return fail('invalid_grant', 'InvalidCredentials');
  const user = signed.known ? dev.state.usersBySub.get(signed.known.sub) : newUser(dev);
  if (!signed.known) dev.state.deviceKeys.set(signed.kid, { jwk: signed.jwk, sub: user.sub });
  return send(res, 200, json, `${JSON.stringify(await issue(dev, req, info, user))}\n`);
}

/** The session of a refresh token whose user is anonymous; else the refusal has been sent. */
async function anonymousSession(dev, res, token) {
  const known = await dev.provider.RefreshToken.find(token ?? '');
  const session = dev.state.sessions.get(known?.grantId);
  const user = session && !session.revoked && dev.state.usersBySub.get(session.sub);
  if (user?.anonymous) return { session, user };
  if (user) invalid(res, 'user logged in as normal user');
  else sendApiError(res, 403, 'Forbidden', 'InvalidGrant', 'invalid refresh token', trackingId());
  return undefined;
}

/** A session without a key: a new user's, or that of the refresh token, which goes on. */
export async function signup(dev, req, res, info) {
  const { client_id: client, session_type: type, refresh_token: refreshToken } = readJson(info);
  if (!dev.state.clients.has(client)) return invalid(res, 'invalid client ID');
  if (type !== 'refresh_token') return invalid(res, 'unsupported session type');
  info.client = client;
  if (!refreshToken) {
    const { id_token: none, ...tokens } = await issue(dev, req, info, newUser(dev));
    return sendResult(res, tokens);
  }
  const found = await anonymousSession(dev, res, refreshToken);
  if (!found) return undefined;
  const { access_token: accessToken, expires_in: lasts, token_type: tokenType, session } = await makeSession(dev, {
    client, user: found.user.name, tls: Boolean(req.socket.encrypted),
  });
  dev.state.tokens.get(accessToken).sessionId = found.session.id;
  dev.state.sessions.delete(session);
  info.outcome = { session: found.session.id };
  return sendResult(res, { access_token: accessToken, expires_in: lasts, token_type: tokenType });
}

export async function promotionCode(dev, res, info) {
  const { refresh_token: refreshToken } = readJson(info);
  const found = await anonymousSession(dev, res, refreshToken);
  if (!found) return;
  const code = randomText();
  dev.state.promotionCodes.set(code, { sub: found.user.sub, exp: Date.now() / 1000 + LIFE });
  sendResult(res, { promotion_code: code, expire_at: expiry() });
}

/** Whose consent the hint of an authorization request carries: the user, null for a bad one, undefined for no such hint. */
function promotedUser(dev, hint) {
  let url;
  try { url = new URL(hint); } catch { return undefined; }
  if (url.searchParams.get('type') !== 'anonymous') return undefined;
  const code = url.searchParams.get('promotion_code');
  const known = code ? dev.state.promotionCodes.get(code) : readJwt(dev, url.searchParams.get('jwt') ?? '', 'promote')?.known;
  dev.state.promotionCodes.delete(code);
  const user = known && !(known.exp < Date.now() / 1000) && dev.state.usersBySub.get(known.sub);
  return user?.anonymous ? user : null;
}

/**
 * Whom a log-in with this hint ends with, when the page says that it is `name`: the promoted user under that name, or the
 * one who has that name already (nothing is merged). Null: the hint is no good. Undefined: it is no promotion.
 */
export function promote(dev, hint, name) {
  const user = promotedUser(dev, hint);
  if (!user) return user;
  const taken = dev.state.users.get(name);
  if (taken) return taken;
  dev.state.users.delete(user.name);
  Object.assign(user, { name, anonymous: false, canReauthenticate: true });
  dev.state.users.set(name, user);
  for (const [kid, key] of dev.state.deviceKeys) if (key.sub === user.sub) dev.state.deviceKeys.delete(kid);
  return user;
}

const devices = new Map();

/** Control: what a device of that name would sign. */
export function deviceJwt({ device = 'device', challenge: text, action = 'auth' }) {
  if (!devices.has(device)) devices.set(device, { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }), kid: randomUUID() });
  const { publicKey, privateKey, kid } = devices.get(device);
  const now = Math.floor(Date.now() / 1000);
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${encode({
    alg: 'ES256', jwk: { alg: 'ES256', kid, ...publicKey.export({ format: 'jwk' }) }, kid, typ: 'vnd.authgear.anonymous-request',
  })}.${encode({ iat: now, exp: now + LIFE, challenge: text, action, device_info: {} })}`;
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return { jwt: `${input}.${signature.toString('base64url')}` };
}
