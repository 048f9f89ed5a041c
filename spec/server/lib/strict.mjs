// A provider that knows nothing of Authgear: oidc-provider with the whole of RFC 9449 switched on (nonces required, access
// tokens bound, each proof good once), and a resource server with nonces of its own.

import { randomBytes, randomUUID } from 'node:crypto';
import Provider, { interactionPolicy } from 'oidc-provider';
import { checkProof } from './dpop.mjs';
import { readBody, rewriteRequest, send, sendJson } from './http.mjs';
import { adapter } from './store.mjs';

const CLIENT = 'strict';
const ALGS = 'algs="ES256"';

function configuration(dev, strict) {
  const policy = interactionPolicy.base();
  policy.get('consent').checks.clear();
  return {
    adapter: (model) => adapter(`strict ${model}`),
    clients: [{
      client_id: CLIENT, token_endpoint_auth_method: 'none', application_type: 'native', dpop_bound_access_tokens: true,
      grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
      redirect_uris: ['http://127.0.0.1/callback'],
    }],
    jwks: { keys: [dev.key.privateJwk] },
    scopes: ['openid', 'offline_access'],
    cookies: { names: { session: 'session', interaction: 'interaction', resume: 'resume' } },
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => strict.requireNonce },
    },
    interactions: { policy, url: (ctx, interaction) => `/login/${interaction.uid}` },
    findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    loadExistingGrant: (ctx) => strict.newGrant(ctx),
    issueRefreshToken: () => true,
    rotateRefreshToken: () => true,
    ttl: {
      AccessToken: () => dev.state.ttl[CLIENT] ?? 1800, AuthorizationCode: 600, IdToken: 300, RefreshToken: 86400,
      Interaction: 3600, Session: 86400, Grant: 86400,
    },
  };
}

export class Strict {
  constructor(dev) {
    this.dev = dev;
    this.seen = new Set();
    this.reset();
  }

  reset() {
    this.requireNonce = true;
    this.nonces = [randomUUID()];
  }

  start(issuer, app) {
    this.issuer = issuer;
    this.app = app;
    this.provider = new Provider(issuer, configuration(this.dev, this));
    this.callback = this.provider.callback();
    this.provider.on('server_error', (ctx, error) => console.error(error));
  }

  async newGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ accountId: oidc.account.accountId, clientId: oidc.client.clientId });
    grant.addOIDCScope(oidc.params.scope ?? 'openid');
    await grant.save();
    return grant;
  }

  targetOf(path) {
    if (path.startsWith('/.well-known/')) return 'discovery';
    return { '/token': 'token', '/me': 'userinfo', '/token/revocation': 'revoke' }[path] ?? 'authorize';
  }

  /** Nobody is asked anything. */
  async login(res, uid) {
    const interaction = await this.provider.Interaction.find(uid);
    interaction.result = { login: { accountId: 'somebody' } };
    await interaction.persist();
    send(res, 303, { Location: interaction.returnTo });
  }

  /** Scripts keep no cookies, so the one that ties the steps together is put in. */
  async handle(req, res, url, info) {
    const uid = /^\/login\/([^/]+)$/.exec(url.pathname)?.[1];
    if (uid) {
      await this.login(res, uid);
      return;
    }
    const headers = { ...req.headers };
    const resume = /^\/auth\/([^/]+)$/.exec(url.pathname)?.[1];
    if (resume) headers.cookie = `resume=${resume}`;
    await this.callback(rewriteRequest(req, { headers, body: info.body }), res);
  }

  refuse(res, error) {
    sendJson(res, 401, { error }, { 'WWW-Authenticate': `DPoP error="${error}", ${ALGS}` });
  }

  /** The resource server: whoever has a token and its key gets an echo. A nonce is good until the next but one. */
  async resource(req, res, url) {
    const body = await readBody(req, 64 << 20);
    const [, scheme, token] = /^(\w+) +(\S+)$/.exec(req.headers.authorization ?? '') ?? [];
    const record = token && await this.provider.AccessToken.find(token);
    res.setHeader('DPoP-Nonce', this.nonces.at(-1));
    if (!record || scheme.toLowerCase() !== 'dpop') {
      this.refuse(res, 'invalid_token');
      return;
    }
    const nonces = this.requireNonce ? this.nonces : undefined;
    let proof;
    try {
      proof = checkProof(req, { url: `${this.app}${url.pathname}`, seen: this.seen, age: 60, token, nonces });
    } catch (error) {
      this.refuse(res, error.nonce ? 'use_dpop_nonce' : 'invalid_dpop_proof');
      return;
    }
    if (proof.jkt !== record.jkt) {
      this.refuse(res, 'invalid_token');
      return;
    }
    if (url.searchParams.has('rotate')) {
      this.nonces = [...this.nonces.slice(-1), randomUUID()];
      res.setHeader('DPoP-Nonce', this.nonces.at(-1));
    }
    const to = url.searchParams.get('to');
    if (to) send(res, 307, { Location: to });
    else sendJson(res, 200, { method: req.method, sub: record.accountId, body: body.toString() });
  }
}
