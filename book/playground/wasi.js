// @ts-check
/**
 * As much of WASI (preview 1) as the page's module asks for: a clock that only
 * ever goes forward, chance that repeats itself, and standard error, which is
 * kept so that a trap can say why. There are no files, no arguments and no
 * network: whoever asks for one hears ENOSYS.
 */

const MODULE = 'wasi_snapshot_preview1';

const SUCCESS = 0;
const BADF = 8;
const NOSYS = 52;

const STDOUT = 1;
const STDERR = 2;

/** Standard error is for a last message, not for a log: its beginning is dropped beyond this, in characters. */
const KEPT = 20_000;

/** The module has asked to end, as a C program does with `exit`. */
export class Exit extends Error {
  /** @param {number} code */
  constructor(code) {
    super(`the module ended itself with code ${code}`);
    this.name = 'Exit';
    /** What it ended with. */
    this.code = code;
  }
}

/** The operating system of one instance. */
export class Wasi {
  /** @type {WebAssembly.Memory | undefined} */
  #memory;
  #written = '';
  #decoder = new TextDecoder();
  /** The state of the chance that `random_get` draws from. */
  #chance = 0x9e3779b9;
  /** @type {() => number} */
  #now;

  /**
   * @param {object} [options]
   * @param {() => number} [options.now] the time in milliseconds; the module's own time is virtual and does not depend on it
   */
  constructor({ now = () => performance.now() } = {}) {
    this.#now = now;
  }

  /** What was written to standard output and standard error so far. */
  get written() {
    return this.#written;
  }

  /** Gives what was written, and forgets it. */
  take() {
    const written = this.#written;
    this.#written = '';
    return written;
  }

  /**
   * What `module` imports, and nothing else.
   *
   * @param {WebAssembly.Module} module
   * @returns {WebAssembly.Imports}
   * @throws {Error} if it imports anything that is not WASI
   */
  imports(module) {
    const calls = this.#calls();
    /** @type {Record<string, Function>} */
    const imports = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      if (from !== MODULE) throw new Error(`The module imports ${name} from ${from}; only ${MODULE} is here.`);
      imports[name] = calls[name] ?? (() => NOSYS);
    }
    return { [MODULE]: /** @type {WebAssembly.ModuleImports} */ (imports) };
  }

  /**
   * Connects it to an instance and runs the instance's constructors.
   *
   * @param {WebAssembly.Instance} instance a reactor: it exports its memory and `_initialize`
   */
  start(instance) {
    const { memory, _initialize: initialize } = instance.exports;
    if (!(memory instanceof WebAssembly.Memory)) throw new Error('The module does not export its memory.');
    this.#memory = memory;
    if (typeof initialize === 'function') initialize();
  }

  /** A fresh view: the old one is gone whenever the memory has grown. */
  #view() {
    if (!this.#memory) throw new Error('The instance is not started.');
    return new DataView(this.#memory.buffer);
  }

  /** @returns {Record<string, (...args: any[]) => number>} */
  #calls() {
    return {
      /** @type {(clock: number, precision: bigint, at: number) => number} */
      clock_time_get: (_clock, _precision, at) => {
        this.#view().setBigUint64(at, BigInt(Math.round(this.#now() * 1e6)), true);
        return SUCCESS;
      },
      /** @type {(at: number, length: number) => number} */
      random_get: (at, length) => {
        const view = this.#view();
        for (let i = 0; i < length; i += 1) view.setUint8(at + i, this.#draw());
        return SUCCESS;
      },
      /** @type {(count: number, size: number) => number} */
      environ_sizes_get: (count, size) => this.#none(count, size),
      environ_get: () => SUCCESS,
      /** @type {(count: number, size: number) => number} */
      args_sizes_get: (count, size) => this.#none(count, size),
      args_get: () => SUCCESS,
      sched_yield: () => SUCCESS,
      /** @type {(fd: number, vectors: number, count: number, written: number) => number} */
      fd_write: (fd, vectors, count, written) => this.#write(fd, vectors, count, written),
      /** @type {(code: number) => never} */
      proc_exit: (code) => {
        throw new Exit(code);
      },
    };
  }

  /**
   * An empty list: no entries, no bytes.
   *
   * @param {number} count
   * @param {number} size
   */
  #none(count, size) {
    const view = this.#view();
    view.setUint32(count, 0, true);
    view.setUint32(size, 0, true);
    return SUCCESS;
  }

  /** The next byte of chance (xorshift32): the same in every instance. */
  #draw() {
    let state = this.#chance;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#chance = state;
    return state & 0xff;
  }

  /**
   * @param {number} fd
   * @param {number} vectors
   * @param {number} count
   * @param {number} written
   */
  #write(fd, vectors, count, written) {
    if (fd !== STDOUT && fd !== STDERR) return BADF;
    const view = this.#view();
    let total = 0;
    for (let i = 0; i < count; i += 1) {
      const start = view.getUint32(vectors + 8 * i, true);
      const length = view.getUint32(vectors + 8 * i + 4, true);
      this.#written += this.#decoder.decode(new Uint8Array(view.buffer, start, length), { stream: true });
      total += length;
    }
    this.#written = this.#written.slice(-KEPT);
    view.setUint32(written, total, true);
    return SUCCESS;
  }
}
