// The document and the window around it.

import { notAvailable, standIn } from './absent.js';
import { Element, descendants } from './element.js';
import { Event, EventTarget, PARENT, PageTransitionEvent, defineHandlers, fire } from './events.js';
import { BASE_URL, host } from './host.js';
import { DocumentFragment, Text } from './node.js';
import { URL } from './url.js';

let isHidden = false;

/** DOM, "valid element local name". */
const ELEMENT_NAME = /^(?:[A-Za-z][^\t\n\f\r \0/>]*|[:_\u0080-\u{10FFFF}][-.:\w\u0080-\u{10FFFF}]*)$/u;

export class Document extends Element {
  title = '';

  get nodeType() {
    return 9;
  }
  get activeElement() {
    return body;
  }
  get referrer() {
    return '';
  }
  get doctype() {
    return null;
  }

  get documentElement() {
    return root;
  }
  get body() {
    return body;
  }
  get head() {
    return head;
  }
  get hidden() {
    return isHidden;
  }
  get visibilityState() {
    return isHidden ? 'hidden' : 'visible';
  }
  get readyState() {
    return 'complete';
  }
  get baseURI() {
    return BASE_URL;
  }
  get URL() {
    return BASE_URL;
  }
  get defaultView() {
    return globalThis;
  }
  get location() {
    return location;
  }

  /** @internal Events go on to the window. */
  get [PARENT]() {
    return globalThis;
  }

  getElementById(id) {
    for (const element of descendants(this)) if (element.id === String(id)) return element;
    return null;
  }
  createElement(name) {
    if (arguments.length === 0) throw new TypeError('createElement needs a name');
    if (!ELEMENT_NAME.test(String(name))) {
      throw new DOMException(`\`${name}\` cannot be the name of an element.`, 'InvalidCharacterError');
    }
    return new Element(String(name).toLowerCase());
  }
  createTextNode(data) {
    return new Text(data);
  }
  createDocumentFragment() {
    return new DocumentFragment();
  }
  hasFocus() {
    return !isHidden;
  }
}
defineHandlers(Document.prototype, ['visibilitychange']);

export const document = new Document('#document');
const root = new Element('html');
const head = new Element('head');
const body = new Element('body');
document.append(root);
root.append(head, body);

// The page's own elements, as its HTML names them; side by side, since only
// their names count.
for (const [tag, id] of host.elements) {
  const element = tag === 'body' ? body : document.createElement(tag);
  element.id = id;
  if (element !== body) body.append(element);
}

// ---- the window

export const location = {
  toString: () => BASE_URL,
};
for (const part of ['href', 'origin', 'protocol', 'host', 'hostname', 'port', 'pathname', 'search', 'hash']) {
  Object.defineProperty(location, part, {
    enumerable: true,
    get: () => new URL(BASE_URL)[part],
    set: () => {
      throw notAvailable(`location.${part} = …`, 'the labs need no navigation');
    },
  });
}
for (const [method, hint] of Object.entries({
  assign: 'the labs need no navigation',
  reload: 'reconnect instead of reloading the page',
  replace: 'the labs need no navigation',
})) {
  location[method] = standIn(`location.${method}`, hint);
}

let isOnline = true;

export const navigator = {
  get onLine() {
    return isOnline;
  },
  userAgent: 'Mozilla/5.0 (grader)',
  language: 'en-US',
  languages: Object.freeze(['en-US']),
  hardwareConcurrency: 1,
  cookieEnabled: false,
};

const WINDOW_EVENTS = [
  'beforeunload',
  'error',
  'load',
  'offline',
  'online',
  'pagehide',
  'pageshow',
  'rejectionhandled',
  'unhandledrejection',
  'unload',
];

/** Makes an event target of the global object. */
export const defineWindow = () => {
  const prototype = Object.create(EventTarget.prototype, {
    [Symbol.toStringTag]: { value: 'Window' },
  });
  Object.setPrototypeOf(globalThis, prototype);
  defineHandlers(globalThis, WINDOW_EVENTS);
  for (const type of WINDOW_EVENTS) {
    Object.defineProperty(globalThis, `on${type}`, { enumerable: false });
  }
};

export const onVisibility = (hidden) => {
  if (isHidden === hidden) return;
  isHidden = hidden;
  fire(document, new Event('visibilitychange', { bubbles: true }));
};

// As HTML unloads and reactivates a document: hidden after `pagehide`, visible before `pageshow`.
export const onTransition = (type) => {
  if (type === 'pageshow') onVisibility(false);
  fire(globalThis, new PageTransitionEvent(type, { persisted: true }));
  if (type === 'pagehide') onVisibility(true);
};

export const onOnline = (online) => {
  if (isOnline === online) return;
  isOnline = online;
  fire(globalThis, new Event(online ? 'online' : 'offline'));
};
