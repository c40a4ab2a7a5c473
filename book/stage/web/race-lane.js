// What one technique has shown: which updates, how late, and what a cut did to it.

/** @typedef {{ number: number, at: number, price: number }} Update `at` is the stage's time when it was published */

/** Bins in a factor of ten: a figure that is read from them is right to within 6 %. */
const FINE = 20;
/** From 0.1 ms to 100 s. */
const LEAST = 0.1;
const BINS = FINE * 6;

/** Latencies, counted in bins of equal width on a logarithmic scale. */
export class Latencies {
  count = 0;
  most = 0;
  #bins = new Uint32Array(BINS);

  /** @param {number} ms */
  add(ms) {
    const at = Math.floor(Math.log10(Math.max(ms, LEAST) / LEAST) * FINE);
    this.#bins[Math.min(at, BINS - 1)] += 1;
    this.count += 1;
    this.most = Math.max(this.most, ms);
  }

  /** What so large a part of them stays within, in milliseconds. @param {number} part from 0 to 1 */
  within(part) {
    let left = Math.ceil(this.count * part);
    for (const [at, count] of this.#bins.entries()) {
      left -= count;
      if (left <= 0) return Math.min(LEAST * 10 ** ((at + 0.5) / FINE), this.most);
    }
    return this.most;
  }

  /**
   * How many lie in each of so many equal parts of the scale; what lies beyond is in the first and the last.
   *
   * @param {number} from in milliseconds
   * @param {number} to in milliseconds
   * @param {number} parts
   */
  spread(from, to, parts) {
    const spread = new Array(parts).fill(0);
    for (const [at, count] of this.#bins.entries()) {
      const middle = LEAST * 10 ** ((at + 0.5) / FINE);
      const part = Math.floor((Math.log(middle / from) / Math.log(to / from)) * parts);
      spread[Math.min(Math.max(part, 0), parts - 1)] += count;
    }
    return spread;
  }
}

/** What is known of the market, from whoever was told first. */
export class Tape {
  newest = 0;
  /** @type {Map<number, number>} when each update was published */
  #at = new Map();

  /** @param {Update} update */
  knows({ number, at }) {
    this.#at.set(number, at);
    this.newest = Math.max(this.newest, number);
    if (this.#at.size > 2_000) this.#at.delete(/** @type {number} */ (this.#at.keys().next().value));
  }

  /** Since when whoever has seen this update is out of date; nothing while they are not. @param {number} seen */
  outdated(seen) {
    for (let number = seen + 1; number <= this.newest; number += 1) {
      const at = this.#at.get(number);
      if (at !== undefined) return at;
    }
    return null;
  }
}

/** One technique's account. */
export class Lane {
  /** @type {Update | null} what it shows */
  now = null;
  /** How many updates it has shown. */
  shown = 0;
  /** How many it has shown again. */
  repeated = 0;
  latencies = new Latencies();
  /** What the last cut did: nothing is known before the lane shows what was published after it. @type {{ head: number, at: number, missed: number, back: number | null, lost: number } | null} */
  cut = null;
  /** The numbers that it skipped. @type {Set<number>} */
  #missing = new Set();

  /** How many updates it has never shown. What was before its first does not count. */
  get missed() {
    return this.#missing.size;
  }

  /**
   * It shows an update.
   *
   * @param {Update} update
   * @param {number} here this page's clock
   */
  shows(update, here) {
    const seen = this.now?.number ?? update.number - 1;
    if (update.number <= seen && !this.#missing.delete(update.number)) {
      this.repeated += 1;
      return;
    }
    for (let number = seen + 1; number < update.number; number += 1) this.#missing.add(number);
    this.shown += 1;
    if (update.number > seen) this.now = update;
    if (this.cut && this.cut.back === null && update.number > this.cut.head) {
      this.cut.back = here - this.cut.at;
      this.cut.lost = this.missed - this.cut.missed;
    }
  }

  /**
   * The line is cut.
   *
   * @param {number} head the newest update when it happened
   * @param {number} here this page's clock
   */
  isCut(head, here) {
    this.cut = { head, at: here, missed: this.missed, back: null, lost: 0 };
  }
}
