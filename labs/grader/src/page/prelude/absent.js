// What browsers have and this page lacks. It is there as a stand-in, so that
// feature tests (`typeof localStorage`, `'Worker' in window`) go as in a
// browser; whoever *uses* it is told what to do instead. Such a use is a
// failure of the check even where the client catches the exception: the bench
// cannot say how the client would have gone on.

import { host } from './host.js';

/** The exception for something that is not here; also tells the bench. */
export const notAvailable = (what, hint) => {
  host.absent(what, hint);
  const error = new Error(`\`${what}\` is not available in the grader: ${hint}.`);
  error.name = 'NotAvailable';
  return error;
};

const STORAGE = 'keep it in a variable';
const MESSAGES = 'call a function, or dispatch an event on an EventTarget';
const BINARY = 'use an ArrayBuffer or a Uint8Array';
const NAVIGATION = 'the labs need no navigation';
const OBSERVERS = 'do it where you change the page';
const FORMAT = 'format it by hand, for example with toFixed';
const FETCH = 'use fetch';
const WORKERS = 'do the work here';

/** Global names, and what to do instead. */
const ABSENT = {
  Audio: 'the labs make no sound',
  Blob: BINARY,
  BroadcastChannel: MESSAGES,
  CSS: 'set a class or a property of the element',
  CompressionStream: 'the server compresses, if anybody does',
  DOMParser: 'build elements with document.createElement',
  DecompressionStream: 'the browser decompresses by itself',
  File: BINARY,
  FileReader: BINARY,
  FormData: 'send JSON.stringify(…) or new URLSearchParams(…)',
  Image: 'the labs show no images',
  IndexedDB: STORAGE,
  IntersectionObserver: OBSERVERS,
  Intl: FORMAT,
  MessageChannel: MESSAGES,
  MutationObserver: OBSERVERS,
  Notification: 'show it in the page',
  ReadableByteStreamController: 'use a stream without a type',
  ReadableStreamBYOBReader: 'use getReader() without a mode',
  ResizeObserver: OBSERVERS,
  ServiceWorker: WORKERS,
  SharedWorker: WORKERS,
  WebSocketStream: 'use WebSocket',
  WebTransport: 'use WebSocket',
  Worker: WORKERS,
  XMLHttpRequest: FETCH,
  alert: 'write to the console or into the page',
  caches: STORAGE,
  confirm: 'the labs ask no questions of their users',
  cookieStore: STORAGE,
  customElements: 'build elements with document.createElement',
  getComputedStyle: 'set a class or a property of the element',
  history: NAVIGATION,
  indexedDB: STORAGE,
  localStorage: STORAGE,
  matchMedia: 'the labs do not depend on it',
  navigation: NAVIGATION,
  open: NAVIGATION,
  postMessage: MESSAGES,
  prompt: 'the labs ask no questions of their users',
  requestIdleCallback: 'use setTimeout',
  scheduler: 'use setTimeout',
  sessionStorage: STORAGE,
};

/** A stand-in that can be looked at, and not be used. */
export const standIn = (what, hint) => {
  const refuse = () => {
    throw notAvailable(what, hint);
  };
  return new Proxy(function () {}, {
    apply: refuse,
    construct: refuse,
    deleteProperty: refuse,
    set: refuse,
    get(target, key) {
      // `x instanceof Blob` is a question, and its answer is no.
      if (key === Symbol.hasInstance) return () => false;
      if (typeof key === 'symbol') return undefined;
      return refuse();
    },
    has: (target, key) => Reflect.has(target, key),
  });
};

/** Puts the stand-ins in. What the engine itself has stays. */
export const defineAbsent = () => {
  for (const [name, hint] of Object.entries(ABSENT)) {
    if (name in globalThis) continue;
    Object.defineProperty(globalThis, name, {
      configurable: true,
      enumerable: false,
      writable: true,
      value: standIn(name, hint),
    });
  }
};

/** Gives an object members that can only be refused. */
export const defineAbsentMembers = (object, owner, members) => {
  for (const [name, hint] of Object.entries(members)) {
    const refuse = () => {
      throw notAvailable(`${owner}.${name}`, hint);
    };
    Object.defineProperty(object, name, { configurable: true, get: refuse, set: refuse });
  }
};
