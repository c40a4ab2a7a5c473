// One race, from its start to its end: who runs, what they show, and what the stage says of it.

import { Clock } from './race-clock.js';
import { Lane, Tape } from './race-lane.js';
import { Crowd } from './race-limit.js';
import { runners } from './race-runners.js';

/** @typedef {import('./race-board.js').Row} Row */
/** @typedef {import('./race-board.js').Count} Count */
/** @typedef {import('./race-lane.js').Update} Update */
/** @typedef {import('./race-runners.js').Technique} Technique */
/** @typedef {{ dear: string | null, loses: string[] }} Expected who is to cost most, and who to lose something */
/** @typedef {Record<Technique | 'own', Count> & { now: number }} Numbers */
/**
 * What the page hears of its race.
 * @typedef {object} Told
 * @property {(numbers: Numbers) => void} counted the stage's counts have come
 * @property {(words: string) => void} refused something was not done, and why
 * @property {() => void} lost the stage is out of reach
 * @property {(words: string) => void} over the race is over, and why
 */

/** Between two questions for the stage's counts: milliseconds. */
export const ASK = 1_000;

export class Race {
  clock = new Clock();
  tape = new Tape();
  crowd = new Crowd();
  /** When the stage's counts last came. */
  heard = performance.now();
  /** How often the line was cut. */
  cuts = 0;
  #over = new AbortController();
  /** Ends short polling alone, so that it can begin anew at another pace. */
  #polling = new AbortController();
  /** What waits for the next frame. @type {{ row: Row, update: Update }[]} */
  #waiting = [];
  #told;

  /**
   * @param {number} number the stage's name for it
   * @param {Map<Technique, Row>} rows
   * @param {Expected} expected
   * @param {Told} told
   */
  constructor(number, rows, expected, told) {
    this.rows = rows;
    this.expected = expected;
    this.room = `/live/race/-/${number}`;
    this.#told = told;
    for (const row of rows.values()) {
      row.lane = new Lane();
      row.counted({ requests: 0, connections: 0, to_server: 0, to_client: 0 });
      row.anew();
      row.state = 'connecting';
    }
  }

  get isOver() {
    return this.#over.signal.aborted;
  }

  /** Nothing of it goes on in this page. */
  stop() {
    this.#over.abort();
    this.crowd.leave();
  }

  /** Lets a technique run. @param {Technique} mark @param {number} every how often short polling asks, in milliseconds */
  run(mark, every) {
    const row = /** @type {Row} */ (this.rows.get(mark));
    const own = mark === 'fetch' ? [this.#polling.signal] : [];
    const signal = AbortSignal.any([this.#over.signal, ...own]);
    runners[mark]({
      url: new URL(`${this.room}/${mark}`, location.href).href,
      every,
      show: (update) => this.#show(row, update),
      state: (state) => { if (!signal.aborted) row.state = state; },
      signal,
    });
  }

  /** @param {number} every in milliseconds */
  pollAnew(every) {
    this.#polling.abort();
    this.#polling = new AbortController();
    this.run('fetch', every);
  }

  /** @param {Row} row @param {Update} update */
  #show(row, update) {
    if (this.isOver) return;
    this.tape.knows(update);
    row.lane.shows(update, performance.now());
    // A hidden page draws nothing: how late it would have been is not known.
    if (document.hidden) return;
    this.#waiting.push({ row, update });
    if (this.#waiting.length === 1) requestAnimationFrame(() => this.#draw());
  }

  /** The frame in which everything that has come is drawn. */
  #draw() {
    const now = this.clock.at(performance.now());
    for (const { row, update } of this.#waiting) row.lane.latencies.add(now - update.at);
    this.#waiting = [];
    this.drawNow();
  }

  /** The page is hidden, or seen again: what waited for a frame is not late by its own fault. */
  hides() {
    this.#waiting = [];
  }

  /** Draws what each shows, and for how long that has been out of date. */
  drawNow() {
    const now = this.clock.at(performance.now());
    for (const row of this.rows.values()) {
      const since = row.lane.now && this.tape.outdated(row.lane.now.number);
      row.drawNow(since === null ? null : now - since);
    }
  }

  /** Asks the stage for its counts and for its time. */
  async ask() {
    const asked = performance.now();
    const answer = await fetch(`${this.room}/numbers`, { signal: this.#over.signal }).catch(() => null);
    const heard = performance.now();
    if (this.isOver) return;
    if (!answer) return this.#told.lost();
    if (!answer.ok) return this.#told.over(await answer.text());
    /** @type {Numbers} */
    const numbers = await answer.json();
    this.clock.hears(asked, heard, numbers.now);
    this.heard = heard;
    for (const [mark, row] of this.rows) row.counted(numbers[mark]);
    this.#told.counted(numbers);
  }

  async keepAsking() {
    while (!this.isOver) {
      await this.ask();
      await new Promise((resolve) => setTimeout(resolve, ASK));
    }
  }

  /** Asks the stage for something; gives what it says was done. @param {string} what @param {Record<string, string>} form */
  async order(what, form) {
    const init = { method: 'POST', body: new URLSearchParams(form), signal: this.#over.signal };
    const answer = await fetch(`${this.room}/${what}`, init).catch(() => null);
    if (this.isOver) return null;
    if (answer?.ok) return answer.json();
    const words = answer ? await answer.text() : 'The stage is out of reach: that was not done.';
    const isOver = answer?.status === 410 || answer?.status === 403;
    if (isOver) this.#told.over(words);
    else this.#told.refused(words);
    return null;
  }

  /** From here on the bytes of an update are counted anew: what came before was another workload. */
  async anew() {
    await this.ask();
    for (const row of this.rows.values()) row.anew();
  }

  /** Cuts every line; gives what the stage says of it. */
  async cut() {
    const asked = performance.now();
    const told = await this.order('cut', { seconds: '3' });
    if (!told) return null;
    this.cuts += 1;
    for (const row of this.rows.values()) row.lane.isCut(told.head, asked);
    return told;
  }
}
