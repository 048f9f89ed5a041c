// The server's own pages: where a login goes between the authorization request and the redirect back.
// By default nobody is asked anything; with `interactive` set there is a page with a button, for people.

import { promote } from './anonymous.mjs';
import { NO_STORE, send } from './http.mjs';
import { randomHex, randomText } from './keys.mjs';

const ENTRY = '/_internals/oauth_entrypoint';

const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

function page(title, content) {
  return '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
    + `content="width=device-width"><title>${title}</title><style>body{font-family:sans-serif;margin:4em auto;`
    + 'max-width:24em}button{font-size:1.2em;padding:.5em 1em;margin-right:.5em}</style></head>'
    + `<body><h1>${title}</h1>${content}</body></html>`;
}

export class Login {
  constructor(dev) {
    this.dev = dev;
    // Requests under way that must neither see nor set the browser's session cookie (SSO off, or another user).
    this.cookieless = new Set();
    // What our pages call an interaction of oidc-provider.
    this.references = new Map();
  }

  /** Where oidc-provider sends the browser to log in. */
  pageFor(ctx, interaction) {
    const { params } = interaction;
    if (ctx.req.info.hideSession || params.x_suppress_idp_session_cookie === 'true') {
      this.cookieless.add(interaction.uid);
    }
    const reference = randomText();
    this.references.set(reference, interaction.uid);
    const query = new URLSearchParams({
      client_id: params.client_id, redirect_uri: params.redirect_uri, state: params.state ?? '',
      x_ref: reference, x_settings_action_id: '', x_traceparent: `00-${randomHex(16)}-${randomHex(8)}-01`,
    });
    return `${this.dev.issuerOf(ctx.req)}${ENTRY}?${query}`;
  }

  /** Prepares a request for oidc-provider: scripts keep no cookies, so the one that ties the steps together is put in. */
  cookiesFor(req, url, info) {
    const { login } = this.dev.state;
    const resume = /^\/oauth2\/authorize\/([^/]+)$/.exec(url.pathname)?.[1];
    let cookies = (req.headers.cookie ?? '').split(/; */).filter(Boolean);
    if (resume) {
      cookies = cookies.filter((cookie) => !cookie.startsWith('resume='));
      cookies.push(`resume=${resume}`);
      info.hideSession = this.cookieless.delete(resume);
    } else if (url.searchParams.get('prompt') !== 'none') {
      info.hideSession = url.searchParams.get('x_sso_enabled') === 'false'
        || url.searchParams.has('x_dev_user') || login.user !== 'user' || login.error !== undefined;
    }
    if (info.hideSession) cookies = cookies.filter((cookie) => !cookie.startsWith('session='));
    return cookies.join('; ');
  }

  shapeCookies(ctx) {
    if (!ctx.req.info.hideSession) return;
    const cookies = [ctx.response.get('set-cookie')].flat().filter((cookie) => cookie && !cookie.startsWith('session='));
    if (cookies.length) ctx.set('Set-Cookie', cookies);
    else ctx.remove('Set-Cookie');
  }

  /** GET: log in at once, or show the page. POST: the page's answer. */
  async entry(req, res, url, info) {
    const uid = this.references.get(url.searchParams.get('x_ref'));
    const interaction = await this.dev.provider.Interaction.find(uid);
    if (!interaction) {
      send(res, 400, { 'Content-Type': 'text/html; charset=utf-8', ...NO_STORE },
        page('This login is over', '<p>Start again from the application.</p>'));
      return;
    }
    const { login } = this.dev.state;
    const answer = info.form?.answer;
    if (login.interactive && req.method === 'GET' && !interaction.params.x_dev_user) {
      this.showPage(res, url, interaction);
      return;
    }
    const name = interaction.params.x_dev_user ?? (info.form?.user || login.user);
    const willFail = answer === 'cancel' || login.error;
    const promoted = willFail ? undefined : promote(this.dev, interaction.params.login_hint, name);
    interaction.result = promoted === null ? { error: 'invalid_request', error_description: 'InvalidCredentials' }
      : this.takeResult(answer, promoted ?? this.dev.state.user(name));
    await interaction.persist();
    send(res, 303, { Location: interaction.returnTo, 'Content-Type': 'text/html; charset=utf-8', ...NO_STORE });
  }

  /** What this login ends with: one that was told to fail does so as often as it was told. */
  takeResult(answer, user) {
    const { login } = this.dev.state;
    if (answer === 'cancel') return { error: 'access_denied', error_description: 'authorization denied' };
    if (login.error) {
      const result = { error: login.error, error_description: login.error_description };
      login.times -= 1;
      if (login.times <= 0) login.error = undefined;
      return result;
    }
    return { login: { accountId: user.sub, amr: ['pwd'] } };
  }

  showPage(res, url, interaction) {
    const action = escape(`${url.pathname}${url.search}`);
    send(res, 200, { 'Content-Type': 'text/html; charset=utf-8', ...NO_STORE }, page('Log in',
      `<p>The program <b>${escape(interaction.params.client_id)}</b> asks you to log in.</p>`
      + `<form method="post" action="${action}">`
      + `<p><label>User <input name="user" value="${escape(this.dev.state.login.user)}"></label></p>`
      + '<button name="answer" value="ok">Log in</button><button name="answer" value="cancel">Cancel</button></form>'));
  }

  /** Errors that can't go back to the client: a plain page, as Authgear's. */
  renderError(ctx, out) {
    if (ctx.path === '/oauth2/token') {
      ctx.body = { error: out.error, error_description: out.error_description };
      return;
    }
    const description = out.error === 'invalid_redirect_uri' ? 'redirect URI is not allowed' : out.error_description;
    const error = out.error === 'invalid_redirect_uri' ? 'invalid_request' : out.error;
    ctx.status = 400;
    ctx.type = 'text/plain; charset=utf-8';
    ctx.body = `Invalid OAuth authorization request:\nerror: ${error}\nerror_description: ${description}\n`;
  }
}
