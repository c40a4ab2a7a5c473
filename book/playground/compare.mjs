// @ts-check
/**
 * Asks the page's module everything that the native bench was asked, and
 * compares the answers byte for byte: verdicts, words, transcripts, runs.
 *
 *     node book/playground/compare.mjs playground.wasm [native.json]
 *
 * `native.json` is what `cargo run -p playground --example native-verdicts`
 * prints; without it, that is run. The last line is `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

import { Bench, Trap } from './bench.js';

/**
 * @typedef {{ check: string, verdict: string, answer: string }} Check
 * @typedef {{ scene: string, seed: number, answer: string }} Play
 * @typedef {{ do: string, answer: string }} Done
 * @typedef {{ name: string, lab: string, sources: Record<string, string>, ms: number, checks: Check[], plays: Play[], run: Done[] }} Client
 * @typedef {{ lab: string, workload: number[], answer: string }} Costs
 * @typedef {{ list: string, costs: Costs[], clients: Client[] }} Native
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

const root = fileURLToPath(new URL('../..', import.meta.url));

function main() {
  const [path, answers, ...more] = process.argv.slice(2);
  if (!path || more.length > 0) {
    console.error('usage: node book/playground/compare.mjs playground.wasm [native.json]');
    process.exit(2);
  }
  return compare(readFileSync(path), native(answers));
}

/**
 * @param {string | undefined} path
 * @returns {Native}
 */
function native(path) {
  if (path) return JSON.parse(readFileSync(path, 'utf8'));
  const cargo = ['run', '--quiet', '--package', 'playground', '--example', 'native-verdicts'];
  const ran = spawnSync('cargo', cargo, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 30 });
  if (ran.status !== 0) throw new Error(`cargo ${cargo.join(' ')} failed.`);
  return JSON.parse(ran.stdout.toString());
}

/**
 * @param {Buffer} bytes
 * @param {Native} expected
 */
async function compare(bytes, expected) {
  let began = performance.now();
  const module = await WebAssembly.compile(/** @type {BufferSource} */ (bytes));
  const compiled = performance.now() - began;
  began = performance.now();
  const judge = new Judge(module, await Bench.load(module));
  const loaded = performance.now() - began;
  const atStart = judge.bench.memory;

  await judge.same('the list of labs', expected.list, () => judge.bench.ask('bench_list'));
  for (const { lab, workload, answer } of expected.costs) {
    await judge.same(`what ${lab} costs`, answer, () => judge.bench.ask('bench_cost', lab, ...workload));
  }
  console.log(`${'client'.padEnd(44)} checks  scenes    run  native    wasm`);
  for (const client of expected.clients) console.log(await judge.client(client));

  console.log(`
module          ${size(bytes.length)} · gzip -9 ${size(gzipSync(bytes, { level: 9 }).length)} · brotli ${size(brotli(bytes))}
compiled in     ${compiled.toFixed(0)} ms, started in ${loaded.toFixed(1)} ms
memory          ${size(atStart)} at the start, at most ${size(judge.memory)}; ${judge.instances - 1} instances came to an end
${await speed(module, expected)}`);
  for (const difference of judge.differences) console.log(`\n${difference}`);
  console.log(`\n${judge.passed} passed, ${judge.failed} failed`);
  process.exitCode = judge.failed === 0 && judge.passed > 0 ? 0 : 1;
}

class Judge {
  passed = 0;
  failed = 0;
  /** How many instances were needed: a new one after every trap. */
  instances = 1;
  /** The most memory that any of them held. */
  memory = 0;
  /** @type {string[]} */
  differences = [];

  /**
   * @param {WebAssembly.Module} module
   * @param {Bench} bench
   */
  constructor(module, bench) {
    this.module = module;
    this.bench = bench;
  }

  /**
   * Compares one client's answers; gives its row of the table.
   *
   * @param {Client} client
   */
  async client({ name, lab, sources, ms, checks, plays, run }) {
    const sourcesText = JSON.stringify(sources);
    const began = performance.now();
    let marks = '';
    for (const { check, verdict, answer } of checks) {
      const same = await this.same(`${name}: ${check}`, answer, () => this.bench.ask('bench_check', lab, check, sourcesText), name);
      marks += same ? MARKS[/** @type {keyof typeof MARKS} */ (verdict)] : '≠';
    }
    let scenes = 0;
    for (const { scene, seed, answer } of plays) {
      const same = await this.same(`${name}: ${scene}, seed ${seed}`, answer, () => this.bench.ask('bench_play', lab, scene, seed, sourcesText), name);
      scenes += Number(same);
    }
    const took = performance.now() - began;
    const ran = await this.run(name, lab, run, sourcesText);
    this.memory = Math.max(this.memory, this.bench.memory);
    const columns = [marks.padEnd(6), `${scenes}/${plays.length}`.padStart(7), `${ran}/${run.length}`.padStart(6)];
    return `${name.padEnd(44)} ${columns.join(' ')} ${String(ms).padStart(4)} ms ${took.toFixed(0).padStart(4)} ms`;
  }

  /**
   * Compares a run; gives how many of its answers agree.
   *
   * @param {string} name
   * @param {string} lab
   * @param {Done[]} run
   * @param {string} sources
   */
  async run(name, lab, run, sources) {
    let same = 0;
    for (const { do: what, answer } of run) {
      const ms = Number(what);
      const ask = () => {
        if (what === 'open') return this.bench.ask('bench_open', lab, 1, sources);
        return Number.isNaN(ms) ? this.bench.ask('bench_command', what) : this.bench.ask('bench_step', ms);
      };
      const { instances } = this;
      same += Number(await this.same(`${name}: run, ${what}`, answer, ask, name));
      // The run went with its instance.
      if (this.instances > instances) break;
    }
    this.bench.close();
    return same;
  }

  /**
   * Whether the module answers what was expected. A trap is a difference, and the end of the instance.
   *
   * @param {string} what
   * @param {string} expected
   * @param {() => string} ask
   * @param {string} [name] the client's
   */
  async same(what, expected, ask, name = '') {
    let answer;
    let trapped = false;
    try {
      answer = ask();
    } catch (error) {
      answer = `${error}`;
      if (error instanceof Trap) {
        trapped = MAY_TRAP.has(name) && error.message.startsWith('The client went deeper than this stack reaches');
        this.instances += 1;
        this.bench = await Bench.load(this.module);
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
 * @param {string} wasm
 */
function difference(what, native, wasm) {
  let at = 0;
  while (at < native.length && native[at] === wasm[at]) at += 1;
  const around = (/** @type {string} */ text) => JSON.stringify(text.slice(Math.max(0, at - 60), at + 120));
  return `≠ ${what}\n  native  ${around(native)}\n  wasm    ${around(wasm)}`;
}

/**
 * How long each solution's checks take, once more, a step of its run, and measuring it.
 *
 * @param {WebAssembly.Module} module
 * @param {Native} expected
 */
async function speed(module, expected) {
  const bench = await Bench.load(module);
  const rows = expected.clients.filter(({ name }) => name.endsWith('/solution')).map(({ lab, sources, checks }) => {
    const all = () => {
      const began = performance.now();
      for (const { check } of checks) bench.check(lab, check, sources);
      return (performance.now() - began).toFixed(0);
    };
    const [first, again] = [all(), all()];
    bench.open(lab, 1, sources);
    const steps = 2_000;
    let began = performance.now();
    for (let i = 0; i < steps; i += 1) bench.step(16);
    const step = ((performance.now() - began) * 1_000) / steps;
    bench.close();
    const [updates, pace, poll, latency] = expected.costs.find((costs) => costs.lab === lab)?.workload ?? [1, 1, 1, 1];
    began = performance.now();
    bench.cost(lab, { updates, pace, poll, latency });
    const cost = (performance.now() - began).toFixed(0);
    return `${lab}            ${checks.length} checks in ${first} ms, once more in ${again} ms; a step of 16 ms in ${step.toFixed(0)} µs; its cost in ${cost} ms`;
  });
  return rows.join('\n');
}

/** @param {Buffer} bytes */
const brotli = (bytes) =>
  brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }).length;

/** @param {number} bytes */
const size = (bytes) => (bytes < 1 << 20 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / (1 << 20)).toFixed(2)} MiB`);

await main();
