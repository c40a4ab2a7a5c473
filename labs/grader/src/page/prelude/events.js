// Events and their targets (DOM § 2).

import { guarded, host } from './host.js';

const STOPPED = Symbol('stop propagation');
const STOPPED_AT_ONCE = Symbol('stop immediate propagation');
const PATH = Symbol('path');
const PASSIVE = Symbol('in passive listener');
const CAPTURING = Symbol('on its way down');

const PHASES = { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 };

export class Event {
  #type;
  #bubbles;
  #cancelable;
  #composed;
  #timeStamp = host.sinceOpened();
  #defaultPrevented = false;
  /** @internal */ _target = null;
  /** @internal */ _currentTarget = null;
  /** @internal */ _isTrusted = false;

  constructor(type, { bubbles = false, cancelable = false, composed = false } = {}) {
    if (arguments.length === 0) throw new TypeError('an Event needs a type');
    this.#type = String(type);
    this.#bubbles = Boolean(bubbles);
    this.#cancelable = Boolean(cancelable);
    this.#composed = Boolean(composed);
    for (const hidden of ['_target', '_currentTarget', '_isTrusted']) {
      Object.defineProperty(this, hidden, { enumerable: false, writable: true });
    }
  }

  get type() {
    return this.#type;
  }
  get bubbles() {
    return this.#bubbles;
  }
  get cancelable() {
    return this.#cancelable;
  }
  get composed() {
    return this.#composed;
  }
  get timeStamp() {
    return this.#timeStamp;
  }
  get target() {
    return this._target;
  }
  get srcElement() {
    return this._target;
  }
  get currentTarget() {
    return this._currentTarget;
  }
  get eventPhase() {
    if (!this[PATH]) return PHASES.NONE;
    if (this._currentTarget === this._target) return PHASES.AT_TARGET;
    return this[CAPTURING] ? PHASES.CAPTURING_PHASE : PHASES.BUBBLING_PHASE;
  }
  get isTrusted() {
    return this._isTrusted;
  }
  get defaultPrevented() {
    return this.#defaultPrevented;
  }
  get returnValue() {
    return !this.#defaultPrevented;
  }
  set returnValue(value) {
    if (!value) this.preventDefault();
  }
  get cancelBubble() {
    return Boolean(this[STOPPED]);
  }
  set cancelBubble(value) {
    if (value) this.stopPropagation();
  }

  preventDefault() {
    if (this.#cancelable && !this[PASSIVE]) this.#defaultPrevented = true;
  }

  stopPropagation() {
    this[STOPPED] = true;
  }

  stopImmediatePropagation() {
    this[STOPPED] = this[STOPPED_AT_ONCE] = true;
  }

  composedPath() {
    return [...(this[PATH] ?? [])];
  }
}

for (const [name, value] of Object.entries(PHASES)) {
  for (const place of [Event, Event.prototype]) Object.defineProperty(place, name, { value, enumerable: true });
}

/** Listeners by target and type, in the order in which they were added. */
const listeners = new WeakMap();

const listenersOf = (target, type) => {
  let byType = listeners.get(target);
  if (!byType) listeners.set(target, (byType = new Map()));
  let list = byType.get(type);
  if (!list) byType.set(type, (list = []));
  return list;
};

export class EventTarget {
  // `this` is undefined where a module calls `addEventListener` on its window.
  addEventListener(type, callback, options) {
    // Read in any case: that is how clients find out what a browser knows.
    const { capture, once, passive, signal } = flatten(options);
    if (callback === null || callback === undefined) return;
    if (typeof callback !== 'function' && typeof callback !== 'object') {
      throw new TypeError('a listener is a function or an object with handleEvent');
    }
    const target = this ?? globalThis;
    if (signal?.aborted) return;
    const list = listenersOf(target, String(type));
    if (list.some((other) => other.callback === callback && other.capture === capture)) return;
    list.push({ callback, capture, once, passive, isRemoved: false });
    signal?._onAbort(() => target.removeEventListener(type, callback, { capture }));
  }

  removeEventListener(type, callback, options) {
    const { capture } = flatten(options);
    const list = listenersOf(this ?? globalThis, String(type));
    const index = list.findIndex(
      (other) => other.callback === callback && other.capture === capture,
    );
    if (index === -1) return;
    list[index].isRemoved = true;
    list.splice(index, 1);
  }

  dispatchEvent(event) {
    if (!(event instanceof Event)) throw new TypeError('dispatchEvent takes an Event');
    if (event[PATH]) {
      throw new DOMException('The event is already being dispatched.', 'InvalidStateError');
    }
    event._isTrusted = false;
    return dispatch(this ?? globalThis, event);
  }
}

/** Fires an event of the browser's own making. */
export const fire = (target, event) => {
  event._isTrusted = true;
  return dispatch(target, event);
};

/** Where an event goes on to from a target; elements have parents. */
export const PARENT = Symbol('parent');

const dispatch = (target, event) => {
  const path = [];
  for (let node = target; node; node = node[PARENT]) path.push(node);
  event[PATH] = path;
  event._target = target;
  const invoke = (node, isWanted) => {
    event._currentTarget = node;
    // Listeners that are added on the way have to wait for the next event.
    for (const listener of [...listenersOf(node, event.type)]) {
      if (event[STOPPED_AT_ONCE]) break;
      if (listener.isRemoved || !isWanted(listener)) continue;
      if (listener.once) node.removeEventListener(event.type, listener.callback, listener);
      event[PASSIVE] = listener.passive;
      if (typeof listener.callback === 'function') {
        guarded(listener.callback, node, event);
      } else {
        guarded((event) => listener.callback.handleEvent(event), undefined, event);
      }
      event[PASSIVE] = false;
    }
  };
  event[CAPTURING] = true;
  for (const node of path.slice(1).reverse()) {
    if (!event[STOPPED]) invoke(node, (listener) => listener.capture);
  }
  event[CAPTURING] = false;
  // At the target itself, those that capture come first.
  if (!event[STOPPED]) invoke(target, (listener) => listener.capture);
  if (!event[STOPPED]) invoke(target, (listener) => !listener.capture);
  if (event.bubbles) {
    for (const node of path.slice(1)) {
      if (!event[STOPPED]) invoke(node, (listener) => !listener.capture);
    }
  }
  event._currentTarget = null;
  event[PATH] = null;
  event[STOPPED] = event[STOPPED_AT_ONCE] = false;
  return !event.defaultPrevented;
};

const flatten = (options) => {
  if (typeof options !== 'object' || options === null) return { capture: Boolean(options), once: false, passive: false };
  const { capture, once, passive, signal } = options;
  return { capture: Boolean(capture), once: Boolean(once), passive: Boolean(passive), signal };
};

/**
 * Gives a class its event handler attributes (`onopen` …). A handler keeps the
 * place among the listeners at which it was first set (HTML § 8.1.8.1).
 */
export const defineHandlers = (target, types) => {
  for (const type of types) {
    const handlers = new WeakMap();
    Object.defineProperty(target, `on${type}`, {
      configurable: true,
      enumerable: true,
      get() {
        return handlers.get(this)?.callback ?? null;
      },
      set(value) {
        const callback =
          typeof value === 'function' || (typeof value === 'object' && value !== null)
            ? value
            : null;
        let handler = handlers.get(this);
        if (!handler) {
          if (callback === null) return;
          handler = { callback: null, listen: null };
          handler.listen = (event) => {
            const { callback } = handler;
            if (typeof callback !== 'function') return;
            const isError = event.type === 'error' && event instanceof ErrorEvent;
            const result =
              isError && this === globalThis
                ? callback.call(this, event.message, '', 0, 0, event.error)
                : callback.call(this, event);
            const isHandled = isError && this === globalThis ? result === true : result === false;
            if (isHandled) event.preventDefault();
          };
          handlers.set(this, handler);
        }
        if (callback === null) {
          this.removeEventListener(type, handler.listen);
        } else if (handler.callback === null) {
          this.addEventListener(type, handler.listen);
        }
        handler.callback = callback;
      },
    });
  }
};

/** An event class that only carries values: name, and the values with their defaults. */
const carrier = (name, defaults) => {
  const Carrier = {
    [name]: class extends Event {
      #values;

      constructor(type, init = {}) {
        super(type, init);
        this.#values = { ...defaults };
        for (const key of Object.keys(defaults)) {
          if (init?.[key] !== undefined) this.#values[key] = init[key];
        }
      }

      /** @internal */
      static _value(event, key) {
        return event.#values[key];
      }
    },
  }[name];
  const value = Carrier._value;
  delete Carrier._value;
  for (const key of Object.keys(defaults)) {
    Object.defineProperty(Carrier.prototype, key, {
      configurable: true,
      enumerable: true,
      get() {
        return value(this, key);
      },
    });
  }
  return Carrier;
};

export const CustomEvent = carrier('CustomEvent', { detail: null });
export const MessageEvent = carrier('MessageEvent', {
  data: null,
  origin: '',
  lastEventId: '',
  source: null,
  ports: Object.freeze([]),
});
export const CloseEvent = carrier('CloseEvent', { wasClean: false, code: 0, reason: '' });
export const ErrorEvent = carrier('ErrorEvent', {
  message: '',
  filename: '',
  lineno: 0,
  colno: 0,
  error: undefined,
});
export const PromiseRejectionEvent = carrier('PromiseRejectionEvent', {
  promise: undefined,
  reason: undefined,
});
export const PageTransitionEvent = carrier('PageTransitionEvent', { persisted: false });
export const ProgressEvent = carrier('ProgressEvent', {
  lengthComputable: false,
  loaded: 0,
  total: 0,
});
