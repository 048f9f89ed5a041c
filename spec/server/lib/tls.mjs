// TLS for the server: a CA and certificates made anew at every start with the openssl command, good and bad ones,
// and servers that speak HTTP/1.1 and HTTP/2 on one port. The private keys are gone when `make` returns; the CA's
// certificate stays in a directory of its own until the server ends, for clients to trust.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const NAMES = 'DNS:localhost,IP:127.0.0.1,IP:::1';

function openssl(...args) {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

class Authority {
  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), 'authgear-dev-tls-'));
    this.caFile = join(this.dir, 'ca.pem');
    openssl('req', '-x509', ...KEY, '-keyout', this.path('ca.key'), '-out', this.caFile, '-days', '2',
      '-subj', '/CN=Authgear development CA');
  }

  path(name) { return join(this.dir, name); }

  read(name) {
    const pair = { key: readFileSync(this.path(`${name}.key`)), cert: readFileSync(this.path(`${name}.pem`)) };
    rmSync(this.path(`${name}.key`));
    return pair;
  }

  issue(name, altNames, days) {
    openssl('req', '-new', ...KEY, '-keyout', this.path(`${name}.key`), '-out', this.path(`${name}.csr`),
      '-subj', `/CN=${name}`);
    writeFileSync(this.path('ext'), `subjectAltName=${altNames}\n`);
    openssl('x509', '-req', '-in', this.path(`${name}.csr`), '-CA', this.caFile, '-CAkey', this.path('ca.key'),
      '-CAcreateserial', '-days', String(days), '-extfile', this.path('ext'), '-out', this.path(`${name}.pem`));
    return this.read(name);
  }

  selfSigned(name) {
    openssl('req', '-x509', ...KEY, '-keyout', this.path(`${name}.key`), '-out', this.path(`${name}.pem`),
      '-days', '2', '-subj', '/CN=localhost', '-addext', `subjectAltName=${NAMES}`);
    return this.read(name);
  }
}

/** { caFile, ca, good, wrongName, expired, selfSigned }: key pairs, and where the CA's certificate is. */
export function makeCertificates() {
  const authority = new Authority();
  const certificates = {
    caFile: authority.caFile,
    ca: readFileSync(authority.caFile),
    good: authority.issue('good', NAMES, 2),
    wrongName: authority.issue('wrong', 'DNS:elsewhere.example', 2),
    expired: authority.issue('expired', NAMES, -1),
    selfSigned: authority.selfSigned('self'),
  };
  rmSync(authority.path('ca.key'));
  process.on('exit', () => rmSync(authority.dir, { recursive: true, force: true }));
  return certificates;
}

/** An https server for HTTP/1.1 and HTTP/2, whichever the client asks for by ALPN. */
export function tlsServer(pair, handler) {
  const server = http2.createSecureServer({
    ...pair, allowHTTP1: true, maxHeaderSize: 1 << 20, settings: { maxHeaderListSize: 1 << 20 },
  }, handler);
  server.keepAliveTimeout = 120000;
  server.requestTimeout = 0;
  // HTTP/2 hides its socket behind a proxy that refuses to be reset; the faults need the real one.
  let last;
  server.prependListener('secureConnection', (socket) => { last = socket; });
  server.on('session', (session) => { session[Symbol.for('dev.socket')] = last; });
  server.on('sessionError', () => {});
  server.on('tlsClientError', () => {});
  return server;
}
