// Nothing may be left behind by a test run that was killed: a server ends with whoever started it.

/** Calls stop on SIGTERM and SIGINT, when standard input closes (not with `stay`), and when the process `parent` is gone. */
export function endWithParent({ stay, parent }, stop) {
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  if (!stay) {
    process.stdin.on('end', stop);
    process.stdin.on('error', stop);
    process.stdin.resume();
  }
  if (!parent) return;
  setInterval(() => {
    try {
      process.kill(Number(parent), 0);
    } catch {
      stop();
    }
  }, 500).unref();
}
