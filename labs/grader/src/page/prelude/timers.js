// Timers (HTML § 8.6), on the bench's clock.

import { guarded, host, nextId } from './host.js';

/** From this depth on a timer that sets a timer waits at least 4 ms. */
const NESTING_LIMIT = 5;
const CLAMP = 4;

/** The longest delay a browser keeps; longer ones fire at once. */
const LONGEST = 2 ** 31 - 1;

const timers = new Map();

/** How many timers deep the running task is. */
let nesting = 0;

const delayOf = (value) => {
  const delay = Math.trunc(Number(value)) || 0;
  return delay < 0 || delay > LONGEST ? 0 : delay;
};

const clamp = (timer) => (timer.nesting > NESTING_LIMIT ? Math.max(timer.delay, CLAMP) : timer.delay);

const start = (callback, delay, values, isRepeating) => {
  if (typeof callback !== 'function') {
    throw new TypeError('a timer takes a function; code in a string is not run here');
  }
  const id = nextId();
  const timer = { callback, values, delay: delayOf(delay), isRepeating, nesting: nesting + 1 };
  timers.set(id, timer);
  host.arm(id, clamp(timer));
  return id;
};

const stop = (id) => {
  if (timers.delete(id)) host.disarm(id);
};

export const setTimeout = (callback, delay, ...values) => start(callback, delay, values, false);
export const setInterval = (callback, delay, ...values) => start(callback, delay, values, true);
export const clearTimeout = (id) => stop(id);
export const clearInterval = (id) => stop(id);

/** How long a frame lasts. */
const FRAME = 16;

export const requestAnimationFrame = (callback) => {
  // Frames are drawn on a grid, not so long after each call.
  const now = host.sinceOpened();
  const wait = FRAME - (now % FRAME);
  return start(() => callback(host.sinceOpened()), Math.ceil(wait), [], false);
};
export const cancelAnimationFrame = (id) => stop(id);

/** A timer is due. */
export const onTimer = (id) => {
  const timer = timers.get(id);
  if (!timer) return;
  if (!timer.isRepeating) timers.delete(id);
  nesting = timer.nesting;
  guarded(timer.callback, globalThis, ...timer.values);
  nesting = 0;
  if (timer.isRepeating && timers.has(id)) {
    timer.nesting++;
    host.arm(id, clamp(timer));
  }
};
