// @ts-check
/**
 * The page's module for JavaScript: texts in, objects out. It runs in a Worker
 * of the book's page and in Node alike.
 *
 * A call keeps its thread until it has its answer, at most about a second for
 * a client that never gives back. After a {@link Trap} the bench is of no use
 * any more: load another one, from the same compiled module.
 */
import { Wasi } from './wasi.js';

/**
 * @typedef {Record<string, string>} Sources the client's files by name: `client.js`
 *
 * @typedef {{ name: string, says: string }} ListedScene
 * @typedef {{ name: string, todo: number | null, contract: string, file: string, section: string, scenes: ListedScene[] }} ListedCheck
 * @typedef {{ name: string, number: number, title: string, folder: string, chapter: string, checks: ListedCheck[] }} Listed
 *
 * @typedef {{ voice: 'plain' | 'context' | 'expected' | 'yours', words: string }} Line
 * @typedef {{ name: string, says: string, holds: boolean, transcript: string, expected: string | null }} Recorded
 * @typedef {object} Graded
 * @property {string} name
 * @property {string} title
 * @property {string} contract
 * @property {string} file
 * @property {number | null} line
 * @property {'passed' | 'failed' | 'not_started' | 'waits'} verdict
 * @property {Line[]} lines
 * @property {Recorded[]} scenes
 *
 * @typedef {{ kind: 'well' }
 *   | { kind: 'not_started', todo: number }
 *   | { kind: 'broken', words: string }
 *   | { kind: 'panicked', words: string }
 *   | { kind: 'page', words: string, file: string, line: number, column: number, fatal: boolean }} Outcome
 * @typedef {{ scene: string, seed: number, transcript: string, outcome: Outcome, console: string[] }} Played
 * @typedef {object} Workload times are in milliseconds
 * @property {number} [updates] how many; as many as fit into a short wait, where it is left out
 * @property {number} pace from one update to the next
 * @property {number} poll from one short poll to the next
 * @property {number} latency
 * @property {number} [payload] bytes of an update: 30, or 40 and more
 * @property {number} [drops] from one cut of the connection to the next; none, where it is left out
 *
 * @typedef {object} Cost
 * @property {number} updates how many were played
 * @property {number} lasted milliseconds
 * @property {number} cuts
 * @property {number} requests all of them
 * @property {number} first_requests those before the first update
 * @property {number} first_head bytes in the head of the first request
 * @property {number} chromium_head the same as Chromium sends it
 * @property {number} heads_up bytes of heads from the page
 * @property {number} bodies_up
 * @property {number} heads_down
 * @property {number} bodies_down
 * @property {number} opening all bytes before the first update, had Chromium sent the heads
 * @property {number} in_chromium all bytes, had Chromium sent the heads
 * @property {number} payload the updates themselves, as JSON, each once
 * @property {number} shown how many of the updates the page showed
 * @property {number} repeats how often it showed one again
 * @property {number} mean_delay milliseconds
 * @property {number} worst_delay milliseconds
 * @property {number} behind_median for how long the page was out of date, in milliseconds, in half of the time at most
 * @property {number} behind_p99 the same in 99 % of the time
 * @property {number} writes how often the server had something to send
 * @property {number} held for how long requests were open, all together, in milliseconds
 * @typedef {{ now: number, transcript: string, console: string[], failure: Outcome | null }} Step
 * @typedef {{ svg: string, list: string }} Drawn a transcript's drawing, and the same in words: HTML
 * @typedef {{ expected: Drawn, yours: Drawn, score: string, rows: string, before: number, after: number }} Pair
 *   what a player plays of two drawings, row by row; how many rows before and after these are left out
 */

/** What was asked cannot be; the message says why. The bench goes on. */
export class Refused extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = 'Refused';
  }
}

/** The instance came to an end; the message is what it wrote last. */
export class Trap extends Error {
  /**
   * @param {string} message
   * @param {unknown} cause
   */
  constructor(message, cause) {
    super(message, { cause });
    this.name = 'Trap';
  }
}

/** The page, or the device, has no more memory to give. */
export const OUT_OF_MEMORY = 'The bench ran out of memory: close other tabs, or reload this one, and try again.';

/**
 * Whether an engine, or the module's own allocator, had no memory left.
 *
 * @param {unknown} error
 */
export const isOutOfMemory = (error) => /out of memory|could not allocate|memory allocation of \d+ bytes failed/i.test(String(error));

/** What the module must export to be spoken to from here. */
const EXPORTS = [
  'memory',
  ...['alloc', 'free', 'list', 'check', 'play', 'open', 'step', 'command', 'cost', 'close', 'picture', 'pair', 'solution'].map((name) => `bench_${name}`),
];

/**
 * What a module lacks that is spoken to from here: one of another build.
 *
 * @param {WebAssembly.Module} module
 */
export function missing(module) {
  const exported = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  return EXPORTS.filter((name) => !exported.has(name));
}

/** The bench stops most recursion itself; data may be nested deeper than it can see. */
const TOO_DEEP =
  'The client went deeper than this stack reaches: a function that calls itself without end, or data nested thousands of levels deep.';

/**
 * Whether the engine that runs the module ran out of stack: each words it in its own way.
 *
 * @param {unknown} error
 */
const isOverflow = (error) => /call stack|too much recursion/i.test(String(error));

/** One instance of the module. */
export class Bench {
  /** @type {Wasi} */
  #wasi;
  /** @type {Record<string, any>} */
  #exports;
  #encoder = new TextEncoder();
  #decoder = new TextDecoder();
  /** @type {Trap | undefined} */
  #trap;

  /**
   * @param {Wasi} wasi
   * @param {WebAssembly.Instance} instance
   */
  constructor(wasi, instance) {
    this.#wasi = wasi;
    this.#exports = instance.exports;
  }

  /**
   * Starts an instance.
   *
   * @param {WebAssembly.Module} module `playground.wasm`, compiled
   * @returns {Promise<Bench>}
   */
  static async load(module) {
    const wasi = new Wasi();
    const instance = await WebAssembly.instantiate(module, wasi.imports(module));
    wasi.start(instance);
    return new Bench(wasi, instance);
  }

  /** How much memory it holds, in bytes. */
  get memory() {
    return this.#exports.memory.buffer.byteLength;
  }

  /** Every lab that is in the module. @returns {Listed[]} */
  list() {
    return JSON.parse(this.ask('bench_list'));
  }

  /**
   * How a check stands with these sources.
   *
   * @param {string} lab `lab3`
   * @param {string} check the check's name
   * @param {Sources} sources
   * @returns {Graded}
   */
  check(lab, check, sources) {
    return JSON.parse(this.ask('bench_check', lab, check, JSON.stringify(sources)));
  }

  /**
   * Plays one scene.
   *
   * @param {string} lab
   * @param {string} scene the scene's name
   * @param {number} seed from 0 to 2³² - 1
   * @param {Sources} sources
   * @returns {Played}
   */
  play(lab, scene, seed, sources) {
    return JSON.parse(this.ask('bench_play', lab, scene, seed, JSON.stringify(sources)));
  }

  /**
   * Opens a run: these sources against the solution's server. One that was open before is closed.
   *
   * @param {string} lab
   * @param {number} seed from 0 to 2³² - 1
   * @param {Sources} sources
   * @returns {Step}
   */
  open(lab, seed, sources) {
    return JSON.parse(this.ask('bench_open', lab, seed, JSON.stringify(sources)));
  }

  /**
   * Lets virtual time pass in the run.
   *
   * @param {number} ms milliseconds, and parts of them
   * @returns {Step}
   */
  step(ms) {
    return JSON.parse(this.ask('bench_step', ms));
  }

  /**
   * Makes the weather in the run: `cut`, `hold`, `heal`, `refuse`, `accept`,
   * `latency 250`, `restart`, `close market`, `open market`, `hide`, `show`,
   * `leave`, `return`, `stop`.
   *
   * @param {string} command
   * @returns {Step}
   */
  command(command) {
    return JSON.parse(this.ask('bench_command', command));
  }

  /**
   * What a lab's technique costs.
   *
   * @param {string} lab
   * @param {Workload} workload
   * @returns {Cost}
   */
  cost(lab, { updates = 0, pace, poll, latency, payload = 30, drops = 0 }) {
    return JSON.parse(this.ask('bench_cost', lab, updates, pace, poll, latency, payload, drops));
  }

  /**
   * Draws a transcript.
   *
   * @param {string} transcript
   * @param {string} id begins the `id`s in the drawing; another one for each drawing on a page
   * @param {string} title its accessible name
   * @returns {Drawn}
   */
  picture(transcript, id, title) {
    return JSON.parse(this.ask('bench_picture', transcript, id, title));
  }

  /**
   * Draws two transcripts around the first place where they part.
   *
   * @param {string} expected
   * @param {string} yours
   * @param {string} id as for a picture
   * @returns {Pair}
   */
  pair(expected, yours, id) {
    return JSON.parse(this.ask('bench_pair', expected, yours, id));
  }

  /**
   * The client of a lab's solution.
   *
   * @param {string} lab
   * @returns {string}
   */
  solution(lab) {
    return JSON.parse(this.ask('bench_solution', lab));
  }

  /** Closes the run. */
  close() {
    this.#call('bench_close', []);
  }

  /**
   * Calls an export of the module and gives its answer as it is, as JSON.
   *
   * @param {string} name
   * @param {...(string | number)} values
   * @returns {string}
   * @throws {Refused} if the answer is an error
   * @throws {Trap} if the instance comes to an end, and ever after
   */
  ask(name, ...values) {
    /** @type {[number, number][]} */
    const texts = [];
    const parameters = values.flatMap((value) => {
      if (typeof value === 'number') return [value];
      const text = this.#put(value);
      texts.push(text);
      return text;
    });
    const packed = BigInt.asUintN(64, this.#call(name, parameters));
    for (const text of texts) this.#call('bench_free', text);
    const [start, length] = [Number(packed >> 32n), Number(packed & 0xffff_ffffn)];
    const answer = this.#decoder.decode(new Uint8Array(this.#exports.memory.buffer, start, length));
    this.#call('bench_free', [start, length]);
    if (answer.startsWith('{"error":')) throw new Refused(JSON.parse(answer).error);
    return answer;
  }

  /**
   * A text in the module's memory.
   *
   * @param {string} text
   * @returns {[number, number]}
   */
  #put(text) {
    const bytes = this.#encoder.encode(text);
    const start = this.#call('bench_alloc', [bytes.length]);
    new Uint8Array(this.#exports.memory.buffer, start, bytes.length).set(bytes);
    return [start, bytes.length];
  }

  /**
   * @param {string} name
   * @param {number[]} parameters
   */
  #call(name, parameters) {
    if (this.#trap) throw this.#trap;
    try {
      return this.#exports[name](...parameters);
    } catch (error) {
      this.#trap = new Trap(this.#lastWords(error), error);
      throw this.#trap;
    }
  }

  /** @param {unknown} error what came out of the instance as it ended */
  #lastWords(error) {
    const written = this.#wasi.take().trim();
    if (isOutOfMemory(written) || isOutOfMemory(error)) return OUT_OF_MEMORY;
    return written || (isOverflow(error) ? TOO_DEEP : String(error));
  }
}

/**
 * A question as data: a method of {@link Bench} and its values.
 *
 * @typedef {{ call: 'list' | 'check' | 'play' | 'open' | 'step' | 'command' | 'cost' | 'close' | 'picture' | 'pair' | 'solution', values: any[] }} Asked
 */

/** A bench that lasts: after a trap, the next question gets a fresh instance of the same compiled module. */
export class Lasting {
  #module;
  /** @type {Bench | undefined} */
  #bench;

  /** How many instances there were. */
  instances = 0;

  /** @param {WebAssembly.Module} module */
  constructor(module) {
    this.#module = module;
  }

  /** How much memory the instance holds, in bytes. */
  get memory() {
    return this.#bench?.memory ?? 0;
  }

  /** Has an instance ready. */
  async ready() {
    await this.#instance();
  }

  /**
   * @param {Asked} asked
   * @throws {Refused} if what was asked cannot be
   * @throws {Trap} if the instance comes to an end, or none can be had
   */
  async ask({ call, values }) {
    const bench = await this.#instance();
    try {
      // @ts-expect-error The values are those of this very method.
      return bench[call](...values);
    } catch (error) {
      if (!(error instanceof Refused)) this.#bench = undefined;
      throw error;
    }
  }

  async #instance() {
    if (this.#bench) return this.#bench;
    try {
      this.#bench = await Bench.load(this.#module);
    } catch (error) {
      throw new Trap(isOutOfMemory(error) ? OUT_OF_MEMORY : `The bench could not be started: ${error}.`, error);
    }
    this.instances += 1;
    return this.#bench;
  }
}
