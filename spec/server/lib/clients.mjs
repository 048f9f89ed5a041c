// The clients that are registered, each set up as one kind of program needs it.

const CODE_GRANTS = ['authorization_code', 'refresh_token', 'urn:authgear:params:oauth:grant-type:id-token'];
const REDIRECT_URIS = [
  'http://127.0.0.1:8989/callback',
  'http://127.0.0.1:8990/callback',
  'http://[::1]:8989/callback',
  'com.example.app://callback',
];

/** The resources that a machine's client may ask for, and the scopes each has. */
export const RESOURCES = {
  'https://fixtureresource/1': ['resource1_scope1', 'resource1_scope2'],
  'https://fixtureresource/2': ['resource2_scope1', 'resource2_scope2'],
};

// ttl: seconds that an access token lasts, unless set otherwise through the control API.
const CLIENTS = [
  { client_id: 'native', ttl: 1800 },
  { client_id: 'rotating', ttl: 1800, rotate: true },
  { client_id: 'short', ttl: 3, rotate: true },
  { client_id: 'short_norotate', ttl: 3 },
  { client_id: 'opaque', ttl: 1800, opaque: true },
  { client_id: 'confidential', ttl: 1800, client_secret: 'confidentialsecret' },
  // A web application that is opened by pre-authenticated URL.
  { client_id: 'webapp', ttl: 1800 },
  { client_id: 'm2m', ttl: 1800, client_secret: 'm2msecret', machine: true },
];

export function makeClients(moreRedirectUris = []) {
  const clients = new Map();
  for (const client of CLIENTS) {
    const redirectUris = client.machine ? [] : [...REDIRECT_URIS, ...moreRedirectUris];
    clients.set(client.client_id, { ...client, redirectUris: new Set(redirectUris) });
  }
  return clients;
}

/** The same client in oidc-provider's words. Redirect URIs are matched by us, to the letter (provider.mjs). */
export function toMetadata(client) {
  return {
    client_id: client.client_id,
    client_secret: client.client_secret,
    token_endpoint_auth_method: client.client_secret ? 'client_secret_post' : 'none',
    application_type: 'native',
    grant_types: client.machine ? ['client_credentials'] : CODE_GRANTS,
    response_types: client.machine ? [] : ['code', 'none'],
    redirect_uris: client.machine ? [] : REDIRECT_URIS,
  };
}
