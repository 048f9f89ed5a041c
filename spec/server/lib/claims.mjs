// The claims that Authgear puts into tokens and user info.

import { randomBytes } from 'node:crypto';

const PREFIX = 'https://authgear.com/claims/user/';
const ID_TOKEN_TTL = 300;

/** How this server authenticates everybody; only tokens that come straight from a login say so. */
export const AMR = ['pwd', 'x_primary_password'];

function userClaims(user) {
  return {
    [`${PREFIX}can_reauthenticate`]: user.canReauthenticate,
    [`${PREFIX}is_anonymous`]: user.anonymous,
    [`${PREFIX}is_verified`]: user.verified,
    [`${PREFIX}roles`]: user.roles,
  };
}

export function accessTokenPayload({ user, session, issuer, scope, exp, amr }) {
  return {
    ...(amr ? { amr } : {}),
    aud: [issuer],
    auth_time: session.authTime,
    client_id: session.clientId,
    exp,
    ...userClaims(user),
    iat: Math.floor(Date.now() / 1000),
    iss: issuer,
    jti: randomBytes(32).toString('hex'),
    scope,
    sub: user.sub,
  };
}

export function idTokenPayload({ user, session, issuer, amr, nonce, more }) {
  const now = Math.floor(Date.now() / 1000);
  return {
    ...(amr ? { amr } : {}),
    aud: [session.clientId],
    auth_time: session.authTime,
    exp: now + ID_TOKEN_TTL,
    ...userClaims(user),
    iat: now,
    iss: issuer,
    ...(nonce ? { nonce } : {}),
    ...more,
    sid: Buffer.from(`offline_grant:${session.id}`).toString('base64url'),
    sub: user.sub,
  };
}

export function machineTokenPayload({ clientId, issuer, resource, scope, exp }) {
  return {
    aud: [resource],
    client_id: clientId,
    exp,
    iat: Math.floor(Date.now() / 1000),
    iss: issuer,
    jti: randomBytes(32).toString('hex'),
    scope,
    sub: `client_id_${clientId}`,
  };
}

export function userInfo(user) {
  const times = { created_at: user.created, updated_at: user.created };
  return {
    custom_attributes: user.customAttributes,
    [`${PREFIX}authenticators`]: user.anonymous ? [] : [{ ...times, type: 'password', kind: 'primary' }],
    [`${PREFIX}can_reauthenticate`]: user.canReauthenticate,
    [`${PREFIX}identities`]: [user.anonymous
      ? { ...times, type: 'anonymous' }
      : { ...times, type: 'login_id', login_id_key: 'username', login_id_type: 'username' }],
    [`${PREFIX}is_anonymous`]: user.anonymous,
    [`${PREFIX}is_verified`]: user.verified,
    [`${PREFIX}recovery_code_enabled`]: false,
    [`${PREFIX}roles`]: user.roles,
    preferred_username: user.name,
    ...user.claims,
    sub: user.sub,
    updated_at: Math.floor(Date.parse(user.created) / 1000),
    x_web3: {},
  };
}
