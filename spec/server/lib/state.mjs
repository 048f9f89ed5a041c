// Everything the server knows beside oidc-provider's own storage: users, sessions, access tokens, settings.
// A session is one login (oidc-provider calls it a grant); its id is the first half of its refresh tokens.

import { randomUUID } from 'node:crypto';
import { makeClients } from './clients.mjs';

const SWEEP_AT = 20000;

export class State {
  constructor({ redirectUris = [] } = {}) {
    this.redirectUris = redirectUris;
    this.clients = makeClients(redirectUris);
    this.users = new Map();
    this.usersBySub = new Map();
    this.sessions = new Map();
    this.tokens = new Map();
    this.appSessionTokens = new Map();
    // Of pages.mjs: codes of settings actions, tokens of pre-authenticated URLs, and browsers that either has logged in.
    this.actionCodes = new Map();
    this.preAuthenticatedTokens = new Map();
    this.browserSessions = new Map();
    this.seenProofs = new Set();
    // Of anonymous.mjs: until when a challenge is good, whose a device key (by kid) or a promotion code is.
    this.challenges = new Map();
    this.deviceKeys = new Map();
    this.promotionCodes = new Map();
    this.resetSettings();
  }

  resetSettings() {
    this.ttl = {};
    this.rotate = {};
    this.expRounding = 'up';
    this.login = { user: 'user', interactive: false, error: undefined, times: 0 };
  }

  /** The user of that name, made when it is first asked for. */
  user(name) {
    let user = this.users.get(name);
    if (!user) {
      const at = new Date(Date.now()).toISOString();
      user = {
        name, sub: randomUUID(), created: at, anonymous: false, verified: false, canReauthenticate: true,
        roles: [], claims: {}, customAttributes: {}, actions: [],
      };
      this.users.set(name, user);
      this.usersBySub.set(user.sub, user);
    }
    return user;
  }

  ttlOf(clientId, sessionId) {
    return this.sessions.get(sessionId)?.ttl ?? this.ttl[clientId] ?? this.ttl['*']
      ?? this.clients.get(clientId)?.ttl ?? 1800;
  }

  rotates(clientId) {
    return this.rotate[clientId] ?? this.clients.get(clientId)?.rotate ?? false;
  }

  /**
   * When a token issued now ends, in whole seconds since 1970. A JWT has no fractions, so a token of 3 s lives
   * 3 to 4 s (rounding 'up': a client that trusts `expires_in` is never surprised) or 2 to 3 s ('down').
   */
  expiry(ttl) {
    const now = Date.now() / 1000;
    return (this.expRounding === 'up' ? Math.ceil(now) : Math.floor(now)) + ttl;
  }

  addToken(token, record) {
    if (this.tokens.size > SWEEP_AT) {
      for (const [key, old] of this.tokens) if (old.exp * 1000 < Date.now()) this.tokens.delete(key);
    }
    this.tokens.set(token, record);
  }

  /** What an access token stands for, or undefined when it is unknown, expired or revoked. */
  check(token) {
    const record = this.tokens.get(token);
    if (!record || record.exp * 1000 <= Date.now()) return undefined;
    if (!record.sessionId) return record;
    const session = this.sessions.get(record.sessionId);
    return session && !session.revoked ? record : undefined;
  }

  /** Sessions that match; a filter of {} matches all of them. */
  sessionsWhere({ client, user, session, refresh_token: refreshToken, access_token: accessToken }) {
    const id = session ?? refreshToken?.split('.')[0] ?? this.tokens.get(accessToken)?.sessionId;
    if ((session ?? refreshToken ?? accessToken) !== undefined && id === undefined) return [];
    const sub = user === undefined ? undefined : this.user(user).sub;
    return [...this.sessions.values()].filter((one) => !one.revoked
      && (id === undefined || one.id === id)
      && (client === undefined || one.clientId === client)
      && (sub === undefined || one.sub === sub));
  }

  /** Makes the access tokens of these sessions expire now. */
  expire(sessions) {
    const ids = new Set(sessions.map((one) => one.id));
    let count = 0;
    for (const record of this.tokens.values()) {
      if (ids.has(record.sessionId) && record.exp * 1000 > Date.now()) {
        record.exp = 0;
        count += 1;
      }
    }
    return count;
  }
}
