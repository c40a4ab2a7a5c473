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

const BINARY = 'use an ArrayBuffer or a Uint8Array';
const EVENTS = 'use new Event(type), or new CustomEvent(type, { detail })';
const FETCH = 'use fetch';
const FORMAT = 'format it by hand, for example with toFixed';
const LAYOUT = 'the grader lays nothing out';
const MESSAGES = 'call a function, or dispatch an event on an EventTarget';
const NAVIGATION = 'the labs need no navigation';
const OBSERVERS = 'do it where you change the page';
const STORAGE = 'keep it in a variable';
const WORKERS = 'do the work here';

/** Hints, and the global names for which they hold. */
const ABSENT = [
  [BINARY, 'Blob File FileReader FileList'],
  [
    EVENTS,
    'AnimationEvent BeforeUnloadEvent ClipboardEvent CompositionEvent DragEvent FocusEvent FormDataEvent HashChangeEvent InputEvent KeyboardEvent MouseEvent PointerEvent PopStateEvent StorageEvent SubmitEvent ToggleEvent TransitionEvent UIEvent WheelEvent',
  ],
  ['take the event as a parameter of the listener', 'event'],
  [FETCH, 'XMLHttpRequest'],
  ['send JSON.stringify(…) or new URLSearchParams(…)', 'FormData'],
  [FORMAT, 'Intl'],
  [LAYOUT, 'devicePixelRatio innerHeight innerWidth outerHeight outerWidth screen visualViewport'],
  ['the labs do not depend on it', 'matchMedia'],
  [MESSAGES, 'BroadcastChannel MessageChannel MessagePort postMessage'],
  [NAVIGATION, 'close history navigation open stop'],
  [OBSERVERS, 'IntersectionObserver MutationObserver PerformanceObserver ResizeObserver'],
  [STORAGE, 'IDBFactory IndexedDB Storage caches cookieStore indexedDB localStorage sessionStorage'],
  ['use WebSocket', 'RTCPeerConnection WebSocketStream WebTransport'],
  [WORKERS, 'ServiceWorker SharedWorker Worker'],
  ['use setTimeout', 'requestIdleCallback scheduler'],
  ['use a stream without a type', 'ReadableByteStreamController'],
  ['use getReader() without a mode', 'ReadableStreamBYOBReader'],
  ['the server compresses, if anybody does', 'CompressionStream'],
  ['the browser decompresses by itself', 'DecompressionStream'],
  ['show it in the page', 'Notification'],
  ['write to the console or into the page', 'alert print'],
  ['the labs ask no questions of their users', 'confirm prompt'],
  ['set a class or a property of the element', 'CSS CSSStyleSheet getComputedStyle'],
  [
    'build elements with document.createElement',
    'Comment DOMParser Range ShadowRoot XMLSerializer customElements getSelection',
  ],
  [
    'ask an element for its localName',
    'HTMLAnchorElement HTMLButtonElement HTMLDivElement HTMLFormElement HTMLInputElement HTMLLIElement HTMLParagraphElement HTMLSelectElement HTMLSpanElement HTMLTableElement HTMLTableRowElement HTMLTemplateElement HTMLTextAreaElement HTMLUListElement',
  ],
  ['the labs make no sound and show no images', 'Audio AudioContext Image ImageData OffscreenCanvas createImageBitmap speechSynthesis'],
];

/** Uses what is not there. */
export const use = (what, hint) => {
  throw notAvailable(what, hint);
};

/** A stand-in that can be looked at, and not be used. */
export const standIn = (what, hint) => {
  const refuse = () => use(what, hint);
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

/** Puts the stand-ins in, each made when somebody looks at it. What is there already stays. */
export const defineAbsent = () => {
  for (const [hint, names] of ABSENT) {
    for (const name of names.split(' ')) {
      if (name in globalThis) continue;
      let made;
      const define = (value) =>
        Object.defineProperty(globalThis, name, { configurable: true, enumerable: false, writable: true, value });
      Object.defineProperty(globalThis, name, {
        configurable: true,
        get: () => (made ??= standIn(name, hint)),
        set: define,
      });
    }
  }
};
