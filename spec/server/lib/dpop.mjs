// Proofs of possession (RFC 9449): checking one as a server does, and making one as a client would, for specs.

import { createHash, createPublicKey, generateKeyPairSync, randomUUID, sign, verify } from 'node:crypto';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const decode = (text) => JSON.parse(Buffer.from(text ?? '', 'base64url').toString());

export const sha256 = (text) => createHash('sha256').update(text).digest('base64url');

export const thumbprint = ({ crv, kty, x, y }) => sha256(JSON.stringify({ crv, kty, x, y }));

/** What the log shows of a proof, whether it is any good or not. */
export function proofOf(req) {
  try {
    const [head, claims] = req.headers.dpop.split('.');
    const { jti, iat, nonce, htm, htu, ath } = decode(claims);
    return { jti, iat, nonce, htm, htu, ath, jkt: thumbprint(decode(head).jwk) };
  } catch {
    return undefined;
  }
}

/**
 * Throws what is wrong with the request's proof, else answers its claims and the key's thumbprint. seen: the jti that were
 * used already. age: seconds that the time in it may be off; with a nonce it says when it was made, and iat says nothing.
 */
export function checkProof(req, { url, seen, age, token, nonces }) {
  const [head, claims, signature, more] = (req.headers.dpop ?? '').split('.');
  if (!signature || more !== undefined) throw new Error('it is not there, or no JWT');
  const { typ, alg, jwk } = decode(head);
  if (typ !== 'dpop+jwt' || alg !== 'ES256' || jwk.kty !== 'EC' || jwk.d) throw new Error('its header');
  const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' };
  const bytes = Buffer.from(signature, 'base64url');
  if (bytes.length !== 64 || !verify('sha256', Buffer.from(`${head}.${claims}`), key, bytes)) throw new Error('its signature');
  const { jti, htm, htu, iat, ath, nonce } = decode(claims);
  if (htm !== req.method || htu !== url) throw new Error('its target');
  if (token ? ath !== sha256(token) : ath !== undefined) throw new Error('its ath');
  if (nonces && !nonces.includes(nonce)) throw Object.assign(new Error('its nonce'), { nonce: true });
  if (!Number.isInteger(iat) || Math.abs(iat - Date.now() / 1000) > age) throw new Error('its time');
  if (typeof jti !== 'string' || seen.has(jti)) throw new Error('its jti');
  seen.add(jti);
  return { jti, jkt: thumbprint(jwk) };
}

/** Keys of clients that are none of the program's under test, by name. */
export class Keys {
  constructor() { this.pairs = new Map(); }

  get(name) {
    if (!this.pairs.has(name)) this.pairs.set(name, generateKeyPairSync('ec', { namedCurve: 'P-256' }));
    return this.pairs.get(name);
  }

  proof({ key: name, htm, htu, age = 0, ...claims }) {
    const { privateKey, publicKey } = this.get(name);
    const { crv, kty, x, y } = publicKey.export({ format: 'jwk' });
    const iat = Math.floor(Date.now() / 1000) - age;
    const input = `${encode({ alg: 'ES256', jwk: { crv, kty, x, y }, typ: 'dpop+jwt' })}.`
      + encode({ jti: randomUUID(), htm, htu, iat, ...claims });
    const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  }
}
