// The development server: an Authgear look-alike built on oidc-provider, an application server and a control API,
// all on free loopback ports. See README.md.

import { parseArgs } from 'node:util';
import { Dev } from './lib/dev.mjs';

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

/** Nothing may be left behind by a test run that was killed: the server ends with whoever started it. */
function endWithParent() {
  process.on('SIGTERM', () => dev.stop());
  process.on('SIGINT', () => dev.stop());
  if (!values.stay) {
    process.stdin.on('end', () => dev.stop());
    process.stdin.on('error', () => dev.stop());
    process.stdin.resume();
  }
  if (!values.parent) return;
  setInterval(() => {
    try {
      process.kill(Number(values.parent), 0);
    } catch {
      dev.stop();
    }
  }, 500).unref();
}

endWithParent();
await dev.start();
process.stdout.write(`${JSON.stringify(dev.ready)}\n`);
