// Time and chance: both are the bench's, so that a play can be repeated.

import { host } from './host.js';

const RealDate = Date;

/** When every play begins. */
const BEGINNING = RealDate.UTC(2026, 0, 1);

const now = () => BEGINNING + host.milliseconds();

const VirtualDate = class Date extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) {
      super(now());
    } else {
      super(...parts);
    }
  }

  static now() {
    return now();
  }
};

// `Date()` without `new` is a string.
globalThis.Date = new Proxy(VirtualDate, {
  apply: () => new VirtualDate().toString(),
});
Object.defineProperty(globalThis, 'Date', { enumerable: false });
VirtualDate.prototype.constructor = globalThis.Date;

export const performance = {
  timeOrigin: now(),
  now: () => host.sinceOpened(),
  toJSON() {
    return { timeOrigin: this.timeOrigin };
  },
};

let [state, second] = host.seed;
state = (state ^ Math.imul(second, 0x9e3779b9)) >>> 0;

/** 32 bits (mulberry32). */
const bits = () => {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return (mixed ^ (mixed >>> 14)) >>> 0;
};

Math.random = () => bits() / 2 ** 32;

/** What clients use of `crypto`: names that do not collide. */
export const crypto = {
  getRandomValues(array) {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    for (let index = 0; index < bytes.length; index++) bytes[index] = bits() & 0xff;
    return array;
  },

  randomUUID() {
    const bytes = this.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5');
  },
};
