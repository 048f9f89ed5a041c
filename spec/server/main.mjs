// The development server: an Authgear look-alike built on oidc-provider, an application server and a control API,
// all on free loopback ports. See README.md.

import { parseArgs } from 'node:util';
import { Dev } from './lib/dev.mjs';
import { endWithParent } from './lib/ends.mjs';

const { values } = parseArgs({
  options: {
    tls: { type: 'boolean', default: false },
    stay: { type: 'boolean', default: false },
    parent: { type: 'string' },
    port: { type: 'string', default: '0' },
    'redirect-uri': { type: 'string', multiple: true, default: [] },
  },
});

// Only the ready line may go to standard output.
console.log = console.error;
console.info = console.error;

const dev = new Dev({ tls: values.tls, port: Number(values.port), redirectUris: values['redirect-uri'] });

endWithParent(values, () => dev.stop());
await dev.start();
process.stdout.write(`${JSON.stringify(dev.ready)}\n`);
