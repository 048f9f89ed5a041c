// oidc-provider, set up and bent where its own behaviour differs from a recorded Authgear server's.

import { randomUUID } from 'node:crypto';
import Provider, { errors, interactionPolicy } from 'oidc-provider';
import { AMR, accessTokenPayload, idTokenPayload, machineTokenPayload } from './claims.mjs';
import { RESOURCES, toMetadata } from './clients.mjs';
import { randomText, signJwt } from './keys.mjs';
import { deviceClaims } from './pages.mjs';
import { adapter } from './store.mjs';
import { ID_TOKEN_GRANT, idTokenGrant, shapeAnswers } from './shape.mjs';

const SCOPES = [
  'openid', 'offline_access', 'device_sso', 'profile', 'email', 'address', 'phone',
  'https://authgear.com/scopes/full-access', 'https://authgear.com/scopes/full-userinfo',
  'https://authgear.com/scopes/pre-authenticated-url',
];
const LONG = 365 * 24 * 3600;
// Read by our own pages; oidc-provider drops parameters that it isn't told of.
const EXTRA_PARAMS = [
  'x_state', 'x_sso_enabled', 'x_suppress_idp_session_cookie', 'x_color_scheme', 'x_page', 'x_oauth_provider_alias',
  'x_authentication_flow_group', 'x_settings_action', 'x_settings_action_query', 'x_dev_user', 'dpop_jkt',
];

function fail(error, description) {
  error.error_description = description;
  return error;
}

/** What may be had at a resource: the user's scopes at our own endpoint, a machine's at the fixture resources. */
function resourceServerInfo(dev, ctx, resource, client) {
  const own = dev.issuers().includes(resource);
  const machine = dev.state.clients.get(client.clientId)?.machine;
  if (!machine) {
    const opaque = dev.state.clients.get(client.clientId)?.opaque;
    return {
      scope: SCOPES.join(' '), audience: resource, accessTokenFormat: opaque ? 'opaque' : 'jwt',
      jwt: { sign: { alg: 'RS256' } },
    };
  }
  const allowed = RESOURCES[resource];
  if (own || !allowed) throw fail(new errors.InvalidTarget(), 'resource not found');
  for (const scope of (ctx.oidc.params.scope ?? '').split(' ').filter(Boolean)) {
    if (!allowed.includes(scope)) throw new errors.InvalidScope(`specified scope is not allowed: ${scope}`);
  }
  ctx.oidc.params.scope ??= allowed.join(' ');
  return { scope: allowed.join(' '), audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } };
}

function defaultResource(dev, ctx, client, oneOf) {
  if (oneOf) return oneOf[0];
  if (dev.state.clients.get(client.clientId)?.machine) {
    throw fail(new errors.InvalidTarget(), 'resource is required');
  }
  return dev.issuerOf(ctx.req);
}

/** Only a token that comes straight from a login names how the user logged in; who is anonymous has not. */
const amrOf = (ctx, user) => (ctx.oidc.entities.AuthorizationCode && !user.anonymous ? AMR : undefined);

function customizeJwt(dev, ctx, token, jwt) {
  const issuer = dev.issuerOf(ctx.req);
  const exp = dev.state.expiry(token.expiration);
  if (token.kind === 'ClientCredentials') {
    jwt.payload = machineTokenPayload({
      clientId: token.clientId, issuer, resource: token.aud, scope: token.scope, exp,
    });
    ctx.req.info.sub = jwt.payload.sub;
  } else {
    const session = dev.state.sessions.get(token.grantId);
    const user = dev.state.usersBySub.get(token.accountId);
    jwt.payload = accessTokenPayload({ user, session, issuer, scope: token.scope, exp, amr: amrOf(ctx, user) });
  }
  ctx.req.info.exp = exp;
}

/** A user who logs in once more for a session that there is has done so for that session, and is given its ID token. */
function noteReauthentication(dev, ctx, grantId) {
  const hint = ctx.oidc.params.id_token_hint;
  if (!hint || ctx.oidc.params.x_settings_action) return;
  const { sid } = JSON.parse(Buffer.from(hint.split('.')[1], 'base64url').toString());
  const session = dev.state.sessions.get(Buffer.from(sid ?? '', 'base64url').toString().replace(/^offline_grant:/, ''));
  if (session?.sub !== ctx.oidc.account.accountId) return;
  session.authTime = ctx.oidc.session.loginTs;
  dev.state.sessions.get(grantId).anew = session;
}

/** Every login is a grant of its own, with all that was asked for: there is no consent page. */
async function newGrant(dev, ctx) {
  const { account, client, params, provider } = ctx.oidc;
  const grant = new provider.Grant({ accountId: account.accountId, clientId: client.clientId });
  grant.addOIDCScope(params.scope ?? 'openid');
  grant.addResourceScope(dev.issuerOf(ctx.req), params.scope ?? 'openid');
  await grant.save();
  dev.state.sessions.set(grant.jti, {
    id: grant.jti, clientId: client.clientId, sub: account.accountId, revoked: false,
    authTime: ctx.oidc.session.loginTs, scope: params.scope, codeJkt: params.dpop_jkt,
  });
  params.dpop_jkt = undefined; // oidc-provider would want a proof that it does not look at here
  noteReauthentication(dev, ctx, grant.jti);
  return grant;
}

function configuration(dev) {
  const { state } = dev;
  return {
    adapter,
    clients: [...state.clients.values()].map(toMetadata),
    jwks: { keys: [dev.key.privateJwk] },
    scopes: SCOPES,
    claims: { openid: ['sub'] },
    extraParams: EXTRA_PARAMS,
    responseTypes: ['code', 'none'],
    clientAuthMethods: ['none', 'client_secret_post', 'client_secret_basic'],
    cookies: { names: { session: 'session', interaction: 'interaction', resume: 'resume' } },
    pkce: { required: (ctx, client) => client.clientAuthMethod === 'none' },
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      userinfo: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: (ctx, client, oneOf) => defaultResource(dev, ctx, client, oneOf),
        getResourceServerInfo: (ctx, resource, client) => resourceServerInfo(dev, ctx, resource, client),
        useGrantedResource: () => true,
      },
    },
    routes: {
      authorization: '/oauth2/authorize', token: '/oauth2/token', end_session: '/oauth2/end_session',
      jwks: '/oauth2/provider/jwks', userinfo: '/oauth2/provider/userinfo',
    },
    interactions: { policy: loginOnly(), url: (ctx, interaction) => dev.login.pageFor(ctx, interaction) },
    findAccount: (ctx, sub) => (state.usersBySub.has(sub)
      ? { accountId: sub, claims: () => ({ sub }) } : undefined),
    loadExistingGrant: (ctx) => newGrant(dev, ctx),
    issueRefreshToken: (ctx, client, code) => code.scopes.has('offline_access'),
    rotateRefreshToken: (ctx) => state.rotates(ctx.oidc.client.clientId),
    expiresWithSession: () => false,
    clientBasedCORS: () => false,
    formats: { customizers: { jwt: (ctx, token, jwt) => customizeJwt(dev, ctx, token, jwt) } },
    renderError: (ctx, out) => dev.login.renderError(ctx, out),
    ttl: {
      AccessToken: (ctx, token, client) => state.ttlOf(client.clientId, token.grantId),
      ClientCredentials: (ctx, token, client) => state.ttlOf(client.clientId),
      AuthorizationCode: 600, IdToken: 300, RefreshToken: LONG, Interaction: 3600, Session: LONG, Grant: LONG,
    },
  };
}

/** Refresh tokens are `<session id>.<random>`, and session ids are UUIDs. */
function patchIdentifiers(provider) {
  provider.Grant.prototype.generateTokenId = () => randomUUID();
  provider.RefreshToken.prototype.generateTokenId = function generateTokenId() {
    return `${this.grantId}.${randomText()}`;
  };
  const opaque = provider.AccessToken.prototype.generateTokenId;
  provider.AccessToken.prototype.generateTokenId = function generateTokenId() {
    const id = opaque.call(this);
    return this.format === 'opaque' ? randomText() : id;
  };
}

/**
 * A rotated token is gone at once and is then as unknown as any other. oidc-provider would keep it, and take the
 * whole session away when it is seen again.
 */
function patchRotation(provider) {
  provider.RefreshToken.prototype.consume = async function consume() {
    await this.destroy();
  };
}

/** Native clients: oidc-provider takes any port of a loopback address, Authgear only what is registered. */
function patchRedirectUris(dev, provider) {
  provider.Client.prototype.redirectUriAllowed = function redirectUriAllowed(uri) {
    return dev.state.clients.get(this.clientId)?.redirectUris.has(uri) ?? false;
  };
}

/**
 * oidc-provider drops the scope offline_access unless the request says prompt=consent. Here everybody has
 * consented: the set of prompts says so when asked, and lists only what was sent.
 */
function patchConsent(provider) {
  Object.defineProperty(provider.OIDCContext.prototype, 'prompts', {
    get() {
      const prompts = new Set(this.params.prompt ? this.params.prompt.split(' ') : []);
      prompts.has = (name) => name === 'consent' || Set.prototype.has.call(prompts, name);
      return prompts;
    },
  });
}

function patchIdToken(dev, provider) {
  provider.IdToken.prototype.issue = async function issue() {
    const own = dev.state.sessions.get(this.ctx.oidc.entities.Grant.jti);
    const session = own.anew ?? own;
    const user = dev.state.usersBySub.get(session.sub);
    return signJwt(dev.key, idTokenPayload({
      user, session, issuer: dev.issuerOf(this.ctx.req), amr: amrOf(this.ctx, user),
      nonce: this.ctx.oidc.entities.AuthorizationCode?.nonce, more: deviceClaims(session),
    }));
  };
}

/** Login only: without the consent prompt's checks nobody is asked anything else. */
function loginOnly() {
  const policy = interactionPolicy.base();
  policy.get('consent').checks.clear();
  return policy;
}

export function makeProvider(dev, issuer) {
  const provider = new Provider(issuer, configuration(dev));
  patchIdentifiers(provider);
  patchRotation(provider);
  patchRedirectUris(dev, provider);
  patchConsent(provider);
  patchIdToken(dev, provider);
  provider.registerGrantType(ID_TOKEN_GRANT, (ctx) => idTokenGrant(dev, ctx), []);
  provider.use((ctx, next) => shapeAnswers(dev, ctx, next));
  provider.on('server_error', (ctx, error) => console.error(error));
  return provider;
}
