// @ts-check
/**
 * The comparison behind `compare.mjs`, for Node and for a page alike: a bench
 * is asked everything that the native one was asked, and its answers are held
 * against the native ones.
 */
import { Trap } from './bench.js';

/**
 * @typedef {{ check: string, verdict: string, answer: string }} Check
 * @typedef {{ scene: string, seed: number, answer: string }} Play
 * @typedef {{ do: string, answer: string }} Done
 * @typedef {{ name: string, lab: string, sources: Record<string, string>, ms: number, checks: Check[], plays: Play[], run: Done[] }} Client
 * @typedef {{ lab: string, workload: number[], answer: string }} Costs
 * @typedef {{ list: string, costs: Costs[], clients: Client[] }} Native
 */

/**
 * What is asked: a `Playground`, or whatever answers as one. It lasts: after a trap the next question gets a fresh
 * instance.
 *
 * @typedef {Pick<import('./playground.js').Playground, 'list' | 'check' | 'play' | 'open' | 'step' | 'command' | 'close' | 'cost'>} Asked
 */

/**
 * How deep a stack reaches and how much fits into the memory that a page is given differs between
 * machines of 32 and 64 bits, and so does the place where that ends. All else in these clients'
 * answers must agree, too.
 */
const PLACE_MAY_DIFFER = new Set([
  'lab3/clients/deep-recursion',
  'lab3/clients/deep-recursion-through-the-engine',
  'lab3/clients/memory-in-objects',
]);

/**
 * The bench cannot measure the stack of the engine that runs the module, and the parser of JSON
 * takes much of it and little of the bench's own. This may trap, with the sentence that says so.
 */
const MAY_TRAP = new Set(['lab3/clients/deep-json']);

const MARKS = { passed: '✓', failed: '✗', not_started: '·', waits: '·' };

/**
 * Asks everything, and says a line about each client; gives how many answers agree and how many do not.
 *
 * @param {Asked} bench
 * @param {Native} native
 * @param {(line: string) => void} say
 */
export async function compare(bench, native, say) {
  const judge = new Judge(bench);
  await judge.same('the list of labs', native.list, () => bench.list());
  for (const { lab, workload, answer } of native.costs) {
    await judge.same(`what ${lab} costs`, answer, () => bench.cost(lab, named(workload)));
  }
  say(`${'client'.padEnd(44)} checks  scenes    run  native    here`);
  for (const client of native.clients) say(await judge.client(client));
  say('');
  for (const line of await speed(bench, native)) say(line);
  for (const difference of judge.differences) say(`\n${difference}`);
  return { passed: judge.passed, failed: judge.failed, traps: judge.traps };
}

/**
 * @param {number[]} workload
 * @returns {import('./bench.js').Workload}
 */
function named([updates = 1, pace = 1, poll = 1, latency = 1, payload, drops]) {
  return { updates, pace, poll, latency, payload, drops };
}

class Judge {
  passed = 0;
  failed = 0;
  /** How many instances came to an end. */
  traps = 0;
  /** @type {string[]} */
  differences = [];

  /** @param {Asked} bench */
  constructor(bench) {
    this.bench = bench;
  }

  /**
   * Compares one client's answers; gives its row of the table.
   *
   * @param {Client} client
   */
  async client({ name, lab, sources, ms, checks, plays, run }) {
    const began = performance.now();
    let marks = '';
    for (const { check, verdict, answer } of checks) {
      const same = await this.same(`${name}: ${check}`, answer, () => this.bench.check(lab, check, sources), name);
      marks += same ? MARKS[/** @type {keyof typeof MARKS} */ (verdict)] : '≠';
    }
    let scenes = 0;
    for (const { scene, seed, answer } of plays) {
      const ask = () => this.bench.play(lab, scene, seed, sources);
      scenes += Number(await this.same(`${name}: ${scene}, seed ${seed}`, answer, ask, name));
    }
    const took = performance.now() - began;
    const ran = await this.run(name, lab, run, sources);
    const columns = [marks.padEnd(6), `${scenes}/${plays.length}`.padStart(7), `${ran}/${run.length}`.padStart(6)];
    return `${name.padEnd(44)} ${columns.join(' ')} ${String(ms).padStart(4)} ms ${took.toFixed(0).padStart(4)} ms`;
  }

  /**
   * Compares a run; gives how many of its answers agree.
   *
   * @param {string} name
   * @param {string} lab
   * @param {Done[]} run
   * @param {Record<string, string>} sources
   */
  async run(name, lab, run, sources) {
    let same = 0;
    for (const { do: what, answer } of run) {
      const ms = Number(what);
      const ask = () => {
        if (what === 'open') return this.bench.open(lab, 1, sources);
        return Number.isNaN(ms) ? this.bench.command(what) : this.bench.step(ms);
      };
      const { traps } = this;
      same += Number(await this.same(`${name}: run, ${what}`, answer, ask, name));
      // The run went with its instance.
      if (this.traps > traps) break;
    }
    await this.bench.close();
    return same;
  }

  /**
   * Whether the module answers what was expected. A trap is a difference.
   *
   * @param {string} what
   * @param {string} native the native answer, as JSON
   * @param {() => Promise<unknown>} ask
   * @param {string} [name] the client's
   */
  async same(what, native, ask, name = '') {
    // Written by one and the same writer: what is compared is names, their order and values.
    const expected = JSON.stringify(JSON.parse(native));
    let answer;
    let trapped = false;
    try {
      answer = JSON.stringify(await ask());
    } catch (error) {
      answer = `${error}`;
      if (error instanceof Trap) {
        trapped = MAY_TRAP.has(name) && error.message.startsWith('The client went deeper than this stack reaches');
        this.traps += 1;
      }
    }
    const same =
      trapped || answer === expected || (PLACE_MAY_DIFFER.has(name) && withoutPlaces(answer) === withoutPlaces(expected));
    if (same) {
      this.passed += 1;
    } else {
      this.failed += 1;
      this.differences.push(difference(what, expected, answer));
    }
    return same;
  }
}

/**
 * An answer without places in the client's code, and with no line broken: a place makes a line longer.
 *
 * @param {string} answer
 */
const withoutPlaces = (answer) =>
  answer
    .replace(/"},\{"voice":"plain","words":" {18}/g, ' ')
    .replace(/client\.js(:\d+)+|the client(?=:)/g, 'somewhere')
    .replace(/"file":"[^"]*","line":\d+,"column":\d+/g, '"somewhere"');

/**
 * The first place where two answers part, and what stands around it.
 *
 * @param {string} what
 * @param {string} native
 * @param {string} here
 */
function difference(what, native, here) {
  let at = 0;
  while (at < native.length && native[at] === here[at]) at += 1;
  const around = (/** @type {string} */ text) => JSON.stringify(text.slice(Math.max(0, at - 60), at + 120));
  return `≠ ${what}\n  native  ${around(native)}\n  here    ${around(here)}`;
}

/**
 * How long all checks of a lab take with the solution's client and with the untouched one, a step of a run, and
 * measuring the technique.
 *
 * @param {Asked} bench
 * @param {Native} native
 */
async function speed(bench, native) {
  const lines = [];
  for (const { name, lab, sources, checks } of native.clients) {
    if (!/\/(solution|untouched)$/.test(name)) continue;
    const all = async () => {
      const began = performance.now();
      for (const { check } of checks) await bench.check(lab, check, sources);
      return (performance.now() - began).toFixed(0);
    };
    let line = `${name.padEnd(16)}${checks.length} checks in ${await all()} ms, once more in ${await all()} ms`;
    if (name.endsWith('/solution')) {
      await bench.open(lab, 1, sources);
      const steps = 1_000;
      let began = performance.now();
      for (let i = 0; i < steps; i += 1) await bench.step(16);
      const step = ((performance.now() - began) * 1_000) / steps;
      await bench.close();
      const workload = native.costs.find((costs) => costs.lab === lab)?.workload ?? [];
      began = performance.now();
      await bench.cost(lab, named(workload));
      const cost = (performance.now() - began).toFixed(0);
      line += `; a step of 16 ms in ${step.toFixed(0)} µs; its cost in ${cost} ms`;
    }
    lines.push(line);
  }
  return lines;
}
