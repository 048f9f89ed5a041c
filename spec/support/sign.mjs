// Keys and signatures for verify_spec: reads one JSON object {jobs: [{key, how, text}]} and prints
// {keys: {name: {jwk..., pem}}, signatures: [base64url]}. Keys are made each time; nothing of them is kept.

import { constants, createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';

const { jobs } = JSON.parse(readFileSync(0, 'utf8'));
const rsa = (modulusLength, publicExponent = 65537) => generateKeyPairSync('rsa', { modulusLength, publicExponent });
const ec = (namedCurve) => generateKeyPairSync('ec', { namedCurve });
const makers = {
  rsa: () => rsa(2048),
  rsa2: () => rsa(2048),
  rsa_small: () => rsa(1024),
  rsa_2040: () => rsa(2040),
  rsa_e3: () => rsa(2048, 3),
  p256: () => ec('P-256'),
  p256b: () => ec('P-256'),
  p384: () => ec('P-384'),
  p521: () => ec('P-521'),
  k256: () => ec('secp256k1'),
  ed: () => generateKeyPairSync('ed25519'),
  ed448: () => generateKeyPairSync('ed448'),
};
const pairs = {};
const keys = {};
for (const name of Object.keys(makers)) {
  pairs[name] = makers[name]();
  const jwk = pairs[name].publicKey.export({ format: 'jwk' });
  keys[name] = { jwk, pem: pairs[name].publicKey.export({ format: 'pem', type: 'spki' }) };
  for (const field of ['n', 'e', 'x', 'y']) {
    if (!jwk[field]) continue;
    const bytes = Buffer.from(jwk[field], 'base64url');
    keys[name][`${field}_zero`] = Buffer.concat([Buffer.alloc(1), bytes]).toString('base64url');
    keys[name][`${field}_short`] = bytes.subarray(1).toString('base64url');
    const even = Buffer.from(bytes);
    even[even.length - 1] &= 0xfe;
    keys[name][`${field}_even`] = even.toString('base64url');
    const off = Buffer.from(bytes);
    off[off.length - 1] ^= 1;
    keys[name][`${field}_off`] = off.toString('base64url');
  }
  const { d } = pairs[name].privateKey.export({ format: 'jwk' });
  keys[name].d = d;
}

// P-521's signatures are 132 bytes, P-256's 64: the last part of `how` spoils them.
function ecdsa(hash, text, key, spoil) {
  if (spoil === 'der') return sign(hash, text, { key, dsaEncoding: 'der' });
  const raw = sign(hash, text, { key, dsaEncoding: 'ieee-p1363' });
  const half = raw.length / 2;
  if (spoil === 'r0') raw.fill(0, 0, half);
  if (spoil === 's0') raw.fill(0, half);
  if (spoil === 'zero') raw.fill(0);
  if (spoil === 'ones') raw.fill(255);
  if (spoil === 'swap') return Buffer.concat([raw.subarray(half), raw.subarray(0, half)]);
  if (spoil === 'short') return raw.subarray(0, raw.length - 1);
  if (spoil === 'long') return Buffer.concat([raw, Buffer.alloc(1)]);
  if (spoil === 'wide') return Buffer.concat([Buffer.alloc(1), raw.subarray(0, half), Buffer.alloc(1), raw.subarray(half)]);
  return raw;
}

function signature({ key, how, text, secret }) {
  const [alg, spoil] = how.split(':');
  const hash = `sha${alg.slice(2)}`;
  const bytes = Buffer.from(text, 'latin1');
  const privateKey = pairs[key]?.privateKey;
  if (alg === 'none') return Buffer.alloc(0);
  if (alg === 'EdDSA') return sign(null, bytes, privateKey);
  if (alg.startsWith('HS')) return createHmac(hash, secret).update(bytes).digest();
  if (alg.startsWith('ES')) return ecdsa(hash, bytes, privateKey, spoil);
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: spoil ? Number(spoil) : Number(alg.slice(2)) / 8 };
  if (alg.startsWith('PS')) return sign(hash, bytes, { key: privateKey, ...pss });
  let out = sign(hash, bytes, privateKey);
  if (spoil === 'short') out = out.subarray(0, out.length - 1);
  if (spoil === 'long') out = Buffer.concat([out, Buffer.alloc(1)]);
  if (spoil === 'zero') out = Buffer.concat([Buffer.alloc(1), out]);
  if (spoil === 'flip') out[100] ^= 1;
  if (spoil === 'zeros') out.fill(0);
  if (spoil === 'ones') out.fill(255);
  return out;
}

const named = jobs.map((job) => signature({
  ...job,
  secret: job.secret === undefined ? undefined : { pem: keys.rsa.pem, n: keys.rsa.jwk.n, empty: '',
    der: Buffer.from(keys.rsa.pem.replace(/-----[^-]+-----|\s/g, ''), 'base64'),
    jwk: JSON.stringify(keys.rsa.jwk), x: keys.p256.jwk.x }[job.secret],
}).toString('base64url'));
process.stdout.write(JSON.stringify({ keys, signatures: named }));
