// One development server: its listeners, its state, and what ties them together.

import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { appHandler, bench } from './app.mjs';
import { controlHandler } from './control.mjs';
import { Keys } from './dpop.mjs';
import { endpointHandler, targetOf } from './endpoint.mjs';
import { Faults } from './faults.mjs';
import { makeKey } from './keys.mjs';
import { Log } from './log.mjs';
import { Login } from './login.mjs';
import { makeProvider } from './provider.mjs';
import { resolverHandler } from './resolver.mjs';
import { listener } from './serve.mjs';
import { State } from './state.mjs';
import { Strict } from './strict.mjs';
import { makeCertificates, tlsServer } from './tls.mjs';

const HOST = '127.0.0.1';
const SERVER_OPTIONS = { maxHeaderSize: 1 << 20, keepAliveTimeout: 120000, requestTimeout: 0 };

function listen(server, port = 0) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, () => resolve(server.address().port));
  });
}

export class Dev {
  constructor(options) {
    this.options = options;
    this.state = new State(options);
    this.log = new Log();
    this.faults = new Faults();
    this.login = new Login(this);
    this.key = makeKey();
    this.proofKeys = new Keys();
    this.strict = new Strict(this);
    this.secret = randomBytes(16).toString('hex');
    this.turns = new Map();
    this.servers = [];
  }

  issuers() { return [this.issuer, this.plainIssuer]; }

  /** A server with both plain and TLS ports is a different issuer on each. */
  issuerOf(req) { return req.socket.encrypted ? this.issuer : this.plainIssuer; }

  async listen(handler, port) {
    const server = http.createServer(SERVER_OPTIONS, handler);
    this.servers.push(server);
    return `http://${HOST}:${await listen(server, port)}`;
  }

  async start() {
    const handlers = this.makeHandlers();
    this.plainIssuer = await this.listen(handlers.endpoint, this.options.port);
    this.plainApp = await this.listen(handlers.app);
    this.plainOther = await this.listen(handlers.app);
    this.issuer = this.plainIssuer;
    const ready = {
      pid: process.pid,
      endpoint: this.plainIssuer,
      app: this.plainApp,
      other_app: this.plainOther,
      resolver: await this.listen(handlers.resolver),
      control: await this.listen(controlHandler(this)),
    };
    if (this.options.tls) await this.startTls(handlers, ready);
    ready.strict = { endpoint: await this.listen(handlers.strict), app: await this.listen(handlers.strictApp) };
    this.strict.start(ready.strict.endpoint, ready.strict.app);
    this.provider = makeProvider(this, this.issuer);
    this.callback = this.provider.callback();
    this.provider.on('grant.revoked', (ctx, id) => {
      const session = this.state.sessions.get(id);
      if (session) session.revoked = true;
    });
    this.ready = ready;
  }

  makeHandlers() {
    const bases = (req) => {
      const [app, other] = req.socket.encrypted ? [this.tlsApp, this.tlsOther] : [this.plainApp, this.plainOther];
      const port = new URL(app).port;
      return Number(port) === req.socket.localPort ? [app, other] : [other, app];
    };
    const app = listener(this, { name: 'app', targetOf: () => 'app', handler: appHandler(this, bases) });
    return {
      endpoint: listener(this, { name: 'endpoint', targetOf, handler: endpointHandler(this), readsBody: true }),
      app: (req, res) => { if (!bench(req, res)) app(req, res); },
      strict: listener(this, {
        name: 'strict', targetOf: (path) => this.strict.targetOf(path), readsBody: true,
        handler: (req, res, url, info) => this.strict.handle(req, res, url, info),
      }),
      strictApp: listener(this, {
        name: 'strict app', targetOf: () => 'app', handler: (req, res, url) => this.strict.resource(req, res, url),
      }),
      resolver: listener(this, { name: 'resolver', targetOf: () => 'resolve', handler: resolverHandler(this) }),
    };
  }

  /** The https servers take the names `endpoint` and `app`; the plain ones stay as `plain`. */
  async startTls(handlers, ready) {
    const certificates = makeCertificates();
    const at = async (pair, handler) => {
      const server = tlsServer(pair, handler);
      this.servers.push(server);
      return `https://${HOST}:${await listen(server)}`;
    };
    this.ca = certificates.ca;
    this.issuer = await at(certificates.good, handlers.endpoint);
    this.tlsApp = await at(certificates.good, handlers.app);
    this.tlsOther = await at(certificates.good, handlers.app);
    const { endpoint, app, other_app: otherApp } = ready;
    Object.assign(ready, {
      endpoint: this.issuer,
      app: this.tlsApp,
      other_app: this.tlsOther,
      plain: { endpoint, app, other_app: otherApp },
      ca_file: certificates.caFile,
      tls: {
        wrong_name: await at(certificates.wrongName, handlers.app),
        expired: await at(certificates.expired, handlers.app),
        self_signed: await at(certificates.selfSigned, handlers.app),
      },
    });
  }

  /** Ends sessions as a user or an administrator would: their tokens are refused from now on. */
  async revoke(sessions) {
    for (const session of sessions) {
      session.revoked = true;
      await this.provider.RefreshToken.revokeByGrantId(session.id);
      await this.provider.AuthorizationCode.revokeByGrantId(session.id);
      await this.provider.Grant.adapter.destroy(session.id);
    }
    return sessions.length;
  }

  stop() { process.exit(0); }
}
