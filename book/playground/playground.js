// @ts-check
/**
 * The bench for a page of the book: fetched once, compiled once, and each
 * {@link Playground} in a Worker of its own, so that no client can keep the
 * page waiting.
 *
 *     const playground = await Playground.open({ onProgress: ({ loaded, total }) => … });
 *     const graded = await playground.check('lab3', 'todo_5_…', { 'client.js': text });
 *
 * Questions are answered one after the other. A promise is rejected with
 * - {@link Refused}: what was asked cannot be; the bench goes on.
 * - {@link Trap}: the instance came to an end, and with it a run that was open.
 *   The next question gets a fresh one.
 * - {@link Stopped}: there was no answer within the limit, or the bench was
 *   ended meanwhile.
 * Each message is a sentence for the reader.
 */
import { OUT_OF_MEMORY, Refused, Trap, isOutOfMemory, missing } from './bench.js';
import { weight } from './weight.js';

export { Refused, Trap };

/**
 * @typedef {import('./bench.js').Sources} Sources
 * @typedef {import('./bench.js').Listed} Listed
 * @typedef {import('./bench.js').Graded} Graded
 * @typedef {import('./bench.js').Played} Played
 * @typedef {import('./bench.js').Step} Step
 * @typedef {import('./bench.js').Drawn} Drawn
 * @typedef {import('./bench.js').Pair} Pair
 * @typedef {import('./bench.js').Workload} Workload
 * @typedef {import('./bench.js').Cost} Cost
 * @typedef {import('./bench.js').Asked} Asked
 * @typedef {import('./worker.js').Question} Question
 * @typedef {import('./worker.js').Answer} Answer
 *
 * @typedef {{ loaded: number, total: number }} Progress in bytes of the module as it is, not as it travels; a total of
 *   0 is not known
 * @typedef {(progress: Progress) => void} OnProgress
 */

/**
 * How long a question may take, in seconds. The bench itself ends a client that does not give back, after a second or
 * so on a computer of today: this is for what it cannot see, and leaves a slow phone forty times as long.
 */
const LIMIT = 40;

/** No answer within the limit, or none any more: the Worker was ended. */
export class Stopped extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = 'Stopped';
  }
}

/** The page's only copy of the module. @type {Promise<WebAssembly.Module> | undefined} */
let compiled;
/** Who wants to know how far the fetch is. @type {Set<OnProgress>} */
const waiting = new Set();
/** @type {Progress} */
let progress = { loaded: 0, total: weight };

/** One bench. */
export class Playground {
  #module;
  #limit;
  /** @type {Worker | undefined} */
  #worker;
  /** Settles when the question before is answered. @type {Promise<unknown>} */
  #last = Promise.resolve();
  #ended = false;
  /** Rejects the question that is being answered. @type {((why: Error) => void) | undefined} */
  #giveUp;

  /**
   * Use {@link Playground.open}.
   *
   * @param {WebAssembly.Module} module
   * @param {number} limit
   */
  constructor(module, limit) {
    this.#module = module;
    this.#limit = limit;
  }

  /**
   * Fetches and compiles the module unless the page has it already, and starts a Worker.
   *
   * @param {object} [options]
   * @param {OnProgress} [options.onProgress]
   * @param {number} [options.limit] how long a question may take, in seconds
   * @returns {Promise<Playground>}
   * @throws {Error} whose message is a sentence for the reader
   */
  static async open({ onProgress, limit = LIMIT } = {}) {
    if (typeof WebAssembly === 'undefined') {
      throw new Error('This browser runs no WebAssembly, or not on this page, and the bench is made of it.');
    }
    if (typeof Worker === 'undefined') {
      throw new Error('This browser has no Web Workers, and the bench needs one so that the page stays awake.');
    }
    const playground = new Playground(await shared(onProgress), limit);
    await playground.#inTurn(() => playground.#started());
    return playground;
  }

  /** Every lab that is in the module. @returns {Promise<Listed[]>} */
  list() {
    return this.#ask({ call: 'list', values: [] });
  }

  /**
   * How a check stands with these sources.
   *
   * @param {string} lab `lab3`
   * @param {string} check the check's name
   * @param {Sources} sources
   * @returns {Promise<Graded>}
   */
  check(lab, check, sources) {
    return this.#ask({ call: 'check', values: [lab, check, sources] });
  }

  /**
   * Plays one scene.
   *
   * @param {string} lab
   * @param {string} scene the scene's name
   * @param {number} seed from 0 to 2³² - 1
   * @param {Sources} sources
   * @returns {Promise<Played>}
   */
  play(lab, scene, seed, sources) {
    return this.#ask({ call: 'play', values: [lab, scene, seed, sources] });
  }

  /**
   * Opens a run: these sources against the solution's server. One that was open before is closed.
   *
   * @param {string} lab
   * @param {number} seed from 0 to 2³² - 1
   * @param {Sources} sources
   * @returns {Promise<Step>}
   */
  open(lab, seed, sources) {
    return this.#ask({ call: 'open', values: [lab, seed, sources] });
  }

  /**
   * Lets virtual time pass in the run.
   *
   * @param {number} ms milliseconds, and parts of them
   * @returns {Promise<Step>}
   */
  step(ms) {
    return this.#ask({ call: 'step', values: [ms] });
  }

  /**
   * Makes the weather in the run; `Bench.command` in bench.js lists what there is.
   *
   * @param {string} text
   * @returns {Promise<Step>}
   */
  command(text) {
    return this.#ask({ call: 'command', values: [text] });
  }

  /**
   * Draws a transcript.
   *
   * @param {string} transcript
   * @param {string} id begins the `id`s in the drawing; another one for each drawing on a page
   * @param {string} title its accessible name
   * @returns {Promise<Drawn>}
   */
  picture(transcript, id, title) {
    return this.#ask({ call: 'picture', values: [transcript, id, title] });
  }

  /**
   * Draws two transcripts around the first place where they part.
   *
   * @param {string} expected
   * @param {string} yours
   * @param {string} id as for a picture
   * @returns {Promise<Pair>}
   */
  pair(expected, yours, id) {
    return this.#ask({ call: 'pair', values: [expected, yours, id] });
  }

  /**
   * The client of a lab's solution.
   *
   * @param {string} lab
   * @returns {Promise<string>}
   */
  solution(lab) {
    return this.#ask({ call: 'solution', values: [lab] });
  }

  /** Closes the run. @returns {Promise<void>} */
  close() {
    return this.#ask({ call: 'close', values: [] });
  }

  /**
   * What a lab's technique costs.
   *
   * @param {string} lab
   * @param {Workload} workload
   * @returns {Promise<Cost>}
   */
  cost(lab, workload) {
    return this.#ask({ call: 'cost', values: [lab, workload] });
  }

  /** Ends the Worker, whatever it is doing. Whoever still waits for an answer hears {@link Stopped}. */
  end() {
    this.#ended = true;
    this.#stop(new Stopped('The bench was ended.'));
  }

  /**
   * @param {Asked} asked
   * @returns {Promise<any>}
   */
  #ask(asked) {
    return this.#inTurn(async () => {
      this.#worker ?? (await this.#started());
      return this.#send(asked);
    });
  }

  /**
   * @template T
   * @param {() => Promise<T>} act what to do when all before it is done
   * @returns {Promise<T>}
   */
  #inTurn(act) {
    const done = this.#last.then(() => {
      if (this.#ended) throw new Stopped('The bench was ended.');
      return act();
    });
    this.#last = done.catch(() => {});
    return done;
  }

  /** A Worker with an instance in it. */
  async #started() {
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    await this.#send({ module: this.#module });
  }

  /**
   * Sends a question to the Worker and waits for its answer.
   *
   * @param {Question} question
   */
  #send(question) {
    const worker = this.#worker;
    if (!worker) throw new Stopped('The bench was ended.');
    return new Promise((resolve, reject) => {
      // Counted, not measured: while the device sleeps, nobody works and nobody counts.
      let seconds = 0;
      const watch = setInterval(() => {
        seconds += 1;
        if (seconds < this.#limit) return;
        this.#stop(new Stopped(
          `The bench gave no answer for ${seconds} seconds, so it was stopped. It starts afresh with the next try.`,
        ));
      }, 1_000);
      const settle = () => {
        clearInterval(watch);
        this.#giveUp = undefined;
      };
      this.#giveUp = (why) => {
        settle();
        reject(why);
      };
      worker.onmessage = (/** @type {MessageEvent<Answer>} */ { data }) => {
        settle();
        if ('answer' in data) resolve(data.answer);
        else reject('refused' in data ? new Refused(data.refused) : new Trap(data.trap, undefined));
      };
      worker.onerror = (event) => {
        event.preventDefault();
        this.#stop(new Trap(event.message ? `The bench's Worker failed: ${event.message}.` : notLoaded(), undefined));
      };
      try {
        worker.postMessage(question);
      } catch (error) {
        // A value that cannot travel: the caller's mistake, and no reason to wait.
        settle();
        reject(error);
      }
    });
  }

  /** @param {Error} why what the one who waits hears */
  #stop(why) {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#giveUp?.(why);
  }
}

/** What helps where a part of the bench is not there, or not of the same build as the others. */
const RELOAD = 'Perhaps the book was built anew since this page was opened: reload the page.';

/**
 * The compiled module, for everybody on this page.
 *
 * @param {OnProgress} [onProgress]
 */
async function shared(onProgress) {
  if (onProgress) {
    waiting.add(onProgress);
    onProgress(progress);
  }
  try {
    compiled ??= load();
    return await compiled;
  } catch (error) {
    // The next one tries again.
    compiled = undefined;
    throw error;
  } finally {
    if (onProgress) waiting.delete(onProgress);
  }
}

/** @param {Progress} now */
function tell(now) {
  progress = now;
  for (const onProgress of waiting) onProgress(now);
}

/** Fetches the module and compiles it as it comes. */
async function load() {
  const response = await fetched();
  // What a compressed answer says of its length is not what arrives here.
  const declared = response.headers.has('content-encoding') ? 0 : Number(response.headers.get('content-length'));
  const total = weight || declared;
  let loaded = 0;
  tell({ loaded, total });
  const counted = response.body?.pipeThrough(new TransformStream({
    transform(chunk, out) {
      loaded += chunk.length;
      tell({ loaded, total });
      out.enqueue(chunk);
    },
  }));
  let module;
  try {
    // Whatever type the server gave it: what is no module does not compile.
    const stream = new Response(counted, { headers: { 'content-type': 'application/wasm' } });
    module = await WebAssembly.compileStreaming(stream);
  } catch (error) {
    throw new Error(notCompiled(error), { cause: error });
  }
  if (missing(module).length > 0) throw new Error(`The bench's module and its script are not of one build. ${RELOAD}`);
  return module;
}

async function fetched() {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(new URL('./playground.wasm', import.meta.url));
  } catch (error) {
    throw new Error(unreachable(), { cause: error });
  }
  if (!response.ok) {
    throw new Error(`The bench could not be fetched: the server answered ${response.status}. ${RELOAD}`);
  }
  return response;
}

const OFFLINE = 'The bench could not be fetched: this device is offline.';

const unreachable = () =>
  navigator.onLine
    ? 'The bench could not be fetched: the server cannot be reached. Try again in a moment.'
    : OFFLINE;

const notLoaded = () => (navigator.onLine ? `The bench's Worker did not load. ${RELOAD}` : OFFLINE);

/** @param {unknown} error */
function notCompiled(error) {
  if (isOutOfMemory(error)) return OUT_OF_MEMORY;
  if (!(error instanceof WebAssembly.CompileError)) return `${unreachable()} The transfer broke off.`;
  return /\bCSP\b|content security policy|unsafe-eval/i.test(error.message)
    ? "The bench may not run on this page: the server's Content-Security-Policy lacks 'wasm-unsafe-eval'."
    : `What the server sent is not the bench's module. ${RELOAD}`;
}
