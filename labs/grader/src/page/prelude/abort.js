// AbortController and AbortSignal (DOM § 3).

import { Event, EventTarget, defineHandlers, fire } from './events.js';
import { host } from './host.js';
import { setTimeout } from './timers.js';

const MAKING = Symbol('only the browser makes signals');

let abort;

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason = undefined;
  /** What the browser itself does on abort; runs before the event. */
  #steps = [];
  /** Signals that depend on this one. */
  #dependents = [];

  constructor(making) {
    if (making !== MAKING) throw new TypeError('Illegal constructor');
    super();
  }

  get aborted() {
    return this.#aborted;
  }

  get reason() {
    return this.#reason;
  }

  throwIfAborted() {
    if (this.#aborted) throw this.#reason;
  }

  /** @internal Runs `step` on abort, before any listener; gives the way to forget it. */
  _onAbort(step) {
    this.#steps.push(step);
    return () => {
      this.#steps = this.#steps.filter((other) => other !== step);
    };
  }

  static abort(reason) {
    const signal = new AbortSignal(MAKING);
    signal.#aborted = true;
    signal.#reason = reason === undefined ? abortError() : reason;
    return signal;
  }

  static timeout(milliseconds) {
    const signal = new AbortSignal(MAKING);
    setTimeout(() => {
      abort(signal, new DOMException('The operation timed out.', 'TimeoutError'));
    }, milliseconds);
    return signal;
  }

  static any(signals) {
    const result = new AbortSignal(MAKING);
    for (const signal of signals) {
      if (!(signal instanceof AbortSignal)) throw new TypeError('AbortSignal.any takes signals');
      if (signal.#aborted) {
        result.#aborted = true;
        result.#reason = signal.#reason;
        return result;
      }
    }
    for (const signal of signals) signal.#dependents.push(result);
    return result;
  }

  static {
    abort = (signal, reason) => {
      if (signal.#aborted) return;
      host.aborted();
      reason = reason === undefined ? abortError() : reason;
      // All of them are aborted before any listener can look.
      const reached = [];
      const mark = (signal) => {
        if (signal.#aborted) return;
        signal.#aborted = true;
        signal.#reason = reason;
        reached.push(signal);
      };
      mark(signal);
      for (let index = 0; index < reached.length; index++) reached[index].#dependents.forEach(mark);
      for (const signal of reached) {
        const steps = signal.#steps;
        signal.#steps = [];
        for (const step of steps) step();
        fire(signal, new Event('abort'));
      }
    };
  }
}
defineHandlers(AbortSignal.prototype, ['abort']);
Object.defineProperty(AbortSignal.prototype, '_onAbort', { enumerable: false });

const abortError = () => new DOMException('signal is aborted without reason', 'AbortError');

export class AbortController {
  #signal = new AbortSignal(MAKING);

  get signal() {
    return this.#signal;
  }

  abort(reason) {
    abort(this.#signal, reason);
  }
}
