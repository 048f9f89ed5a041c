// The clocks of the server. Date.now can be shifted (control API), so that expiry can be tested without waiting;
// the log keeps to the real ones.

const realNow = Date.now.bind(Date);
let offset = 0;

Date.now = () => realNow() + offset;

export const wall = realNow;

/** CLOCK_MONOTONIC in milliseconds: comparable between processes on one Linux machine. */
export function mono() {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

export function setOffset(seconds) {
  offset = Math.round(seconds * 1000);
}

export function getOffset() {
  return offset / 1000;
}
