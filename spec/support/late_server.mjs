// A login server and an application server that come and go: with the port as argument (0: any) it takes up where one
// that was ended left off, since it knows its refresh tokens by their looks. For specs about being offline.
// Must never outlive its spec by more than a minute. GET /quit ends it.
import { createServer } from 'node:http';

let requests = 0;

const b64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A code is the nonce of its request. */
function tokens(at, req, body) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: at, aud: 'native', sub: 'user-1', iat: now, exp: now + 300, nonce: new URLSearchParams(body).get('code') ?? undefined };
  return {
    access_token: `access-${process.pid}-${requests}`, refresh_token: `refresh-${process.pid}-${requests}`,
    id_token: `${b64({ alg: 'RS256' })}.${b64(claims)}.c2lnbmF0dXJl`, token_type: 'Bearer', expires_in: 1800,
  };
}

const routes = {
  '/.well-known/openid-configuration': (at) => ({
    issuer: at, authorization_endpoint: `${at}/authorize`, token_endpoint: `${at}/token`, revocation_endpoint: `${at}/revoke`,
  }),
  '/token': tokens,
  '/app': (at, req) => (/^Bearer access-/.test(req.headers.authorization || '') ? { hello: 'user-1' } : null),
};

const server = createServer((req, res) => {
  requests += 1;
  let body = '';
  req.on('data', (chunk) => { body += chunk; }).on('end', () => {
    const route = routes[req.url];
    const answer = route && route(`http://127.0.0.1:${server.address().port}`, req, body);
    res.writeHead(req.url === '/quit' ? 204 : answer ? 200 : route ? 401 : 404,
      { 'Content-Type': 'application/json', Connection: 'close' });
    res.end(answer ? JSON.stringify(answer) : undefined, () => req.url === '/quit' && process.exit(0));
  });
});
server.listen(Number(process.argv[2] || 0), '127.0.0.1', () => console.log(server.address().port));
setTimeout(() => process.exit(1), 60000);
