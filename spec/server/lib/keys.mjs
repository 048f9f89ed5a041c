// The server's signing key (made at start, never stored) and the JWTs that oidc-provider does not make itself.

import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

export function makeKey() {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const kid = randomUUID();
  const { e, n } = publicKey.export({ format: 'jwk' });
  return {
    kid,
    privateKey,
    privateJwk: { ...privateKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' },
    publicJwk: { alg: 'RS256', created_at: Math.floor(Date.now() / 1000), e, kid, kty: 'RSA', n, use: 'sig' },
  };
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export function signJwt(key, payload, typ = 'JWT') {
  const input = `${encode({ alg: 'RS256', kid: key.kid, typ })}.${encode(payload)}`;
  return `${input}.${sign('RSA-SHA256', Buffer.from(input), key.privateKey).toString('base64url')}`;
}

/** Letters and digits, as Authgear's opaque tokens are. */
export function randomText(length = 32) {
  let text = '';
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length))) {
      if (byte < 248 && text.length < length) text += ALPHABET[byte % ALPHABET.length];
    }
  }
  return text;
}

export const randomHex = (bytes) => randomBytes(bytes).toString('hex');

export const sha256Hex = (text) => createHash('sha256').update(text).digest('hex');

/** How a token appears in the log: enough to tell two apart, nothing to use it with. */
export function fingerprint(token) {
  return token ? sha256Hex(token).slice(0, 16) : undefined;
}
