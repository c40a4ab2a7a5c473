// A small document: what clients need to show things as a web page does.

import { defineAbsentMembers, notAvailable, standIn } from './absent.js';
import { Event, EventTarget, PARENT, PageTransitionEvent, defineHandlers, fire } from './events.js';
import { BASE_URL, host } from './host.js';
import { URL } from './url.js';

// ---- nodes

export class Node extends EventTarget {
  #parent = null;
  #children = [];

  get parentNode() {
    return this.#parent;
  }
  get parentElement() {
    return this.#parent instanceof Element ? this.#parent : null;
  }
  get childNodes() {
    return [...this.#children];
  }
  get firstChild() {
    return this.#children[0] ?? null;
  }
  get lastChild() {
    return this.#children.at(-1) ?? null;
  }
  get nextSibling() {
    return this.#sibling(1);
  }
  get previousSibling() {
    return this.#sibling(-1);
  }
  get isConnected() {
    return this === document || (this.#parent?.isConnected ?? false);
  }

  /** @internal Where events go on to. */
  get [PARENT]() {
    return this.#parent;
  }

  #sibling(step) {
    const siblings = this.#parent?.childNodes ?? [];
    return siblings[siblings.indexOf(this) + step] ?? null;
  }

  contains(other) {
    for (let node = other; node; node = node.parentNode) if (node === this) return true;
    return false;
  }

  hasChildNodes() {
    return this.#children.length > 0;
  }

  appendChild(node) {
    return this.insertBefore(node, null);
  }

  insertBefore(node, before) {
    if (!(node instanceof Node)) throw new TypeError('only a Node can be put into a document');
    if (node.contains(this)) {
      throw new DOMException('A node cannot contain itself.', 'HierarchyRequestError');
    }
    if (node instanceof DocumentFragment) {
      for (const child of node.childNodes) this.insertBefore(child, before);
      return node;
    }
    node.#parent?.removeChild(node);
    const index = before === null || before === undefined ? -1 : this.#children.indexOf(before);
    if (before && index === -1) {
      throw new DOMException('The node to insert before is not a child.', 'NotFoundError');
    }
    if (index === -1) this.#children.push(node);
    else this.#children.splice(index, 0, node);
    node.#parent = this;
    return node;
  }

  removeChild(node) {
    const index = this.#children.indexOf(node);
    if (index === -1) throw new DOMException('The node is not a child.', 'NotFoundError');
    this.#children.splice(index, 1);
    node.#parent = null;
    return node;
  }

  replaceChild(node, old) {
    this.insertBefore(node, old);
    return this.removeChild(old);
  }

  remove() {
    this.#parent?.removeChild(this);
  }

  append(...nodes) {
    for (const node of nodes) this.appendChild(nodeOf(node));
  }

  prepend(...nodes) {
    const first = this.firstChild;
    for (const node of nodes) this.insertBefore(nodeOf(node), first);
  }

  before(...nodes) {
    for (const node of nodes) this.#parent?.insertBefore(nodeOf(node), this);
  }

  after(...nodes) {
    const next = this.nextSibling;
    for (const node of nodes) this.#parent?.insertBefore(nodeOf(node), next);
  }

  replaceWith(...nodes) {
    this.before(...nodes);
    this.remove();
  }

  replaceChildren(...nodes) {
    for (const child of this.childNodes) this.removeChild(child);
    this.append(...nodes);
  }

  get textContent() {
    return this.#children.map((child) => child.textContent).join('');
  }
  set textContent(value) {
    const string = value === null || value === undefined ? '' : String(value);
    this.replaceChildren(...(string === '' ? [] : [string]));
  }
}

const nodeOf = (value) => (value instanceof Node ? value : new Text(value));

export class Text extends Node {
  #data;

  constructor(data = '') {
    super();
    this.#data = String(data);
  }

  get nodeName() {
    return '#text';
  }
  get data() {
    return this.#data;
  }
  set data(value) {
    this.#data = String(value);
  }
  get textContent() {
    return this.#data;
  }
  set textContent(value) {
    this.#data = String(value);
  }
}

export class DocumentFragment extends Node {}

/** The elements below a node, in the document's order. */
function* descendants(node) {
  for (const child of node.childNodes) {
    if (!(child instanceof Element)) continue;
    yield child;
    yield* descendants(child);
  }
}

/** A selector → a test, for the simple ones that clients use. */
const matcher = (selector) => {
  const match = /^\s*([a-z][a-z0-9-]*|\*)?(?:#([\w-]+))?((?:\.[\w-]+)*)\s*$/i.exec(selector);
  if (!match) {
    const hint = "select by tag, '#id' or '.class'";
    throw notAvailable(`querySelector('${selector}')`, hint);
  }
  const [, tag = '*', id, classes] = match;
  return (element) =>
    (tag === '*' || element.localName === tag.toLowerCase()) &&
    (id === undefined || element.id === id) &&
    classes.split('.').slice(1).every((name) => element.classList.contains(name));
};

const dataName = (key) => `data-${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

export class Element extends Node {
  #name;
  #attributes = new Map();
  #style = {};
  #dataset;
  #value = null;

  constructor(name) {
    super();
    this.#name = name;
    this.#dataset = new Proxy(
      {},
      {
        get: (_, key) => this.#attributes.get(dataName(String(key))),
        has: (_, key) => this.#attributes.has(dataName(String(key))),
        set: (_, key, value) => {
          this.setAttribute(dataName(String(key)), value);
          return true;
        },
        deleteProperty: (_, key) => {
          this.removeAttribute(dataName(String(key)));
          return true;
        },
      },
    );
  }

  get localName() {
    return this.#name;
  }
  get tagName() {
    return this.#name.toUpperCase();
  }
  get nodeName() {
    return this.tagName;
  }
  get children() {
    return this.childNodes.filter((child) => child instanceof Element);
  }
  get childElementCount() {
    return this.children.length;
  }
  get firstElementChild() {
    return this.children[0] ?? null;
  }
  get lastElementChild() {
    return this.children.at(-1) ?? null;
  }
  get style() {
    return this.#style;
  }
  get dataset() {
    return this.#dataset;
  }
  get innerText() {
    return this.textContent;
  }
  set innerText(value) {
    this.textContent = value;
  }

  getAttribute(name) {
    return this.#attributes.get(String(name).toLowerCase()) ?? null;
  }
  setAttribute(name, value) {
    this.#attributes.set(String(name).toLowerCase(), String(value));
  }
  removeAttribute(name) {
    this.#attributes.delete(String(name).toLowerCase());
  }
  hasAttribute(name) {
    return this.#attributes.has(String(name).toLowerCase());
  }
  toggleAttribute(name, force = !this.hasAttribute(name)) {
    if (force) this.setAttribute(name, this.getAttribute(name) ?? '');
    else this.removeAttribute(name);
    return force;
  }

  get classList() {
    const names = () => [...new Set((this.getAttribute('class') ?? '').split(/\s+/).filter(Boolean))];
    const write = (list) => this.setAttribute('class', list.join(' '));
    return {
      add: (...added) => write([...new Set([...names(), ...added])]),
      remove: (...removed) => write(names().filter((name) => !removed.includes(name))),
      contains: (name) => names().includes(name),
      replace: (old, name) => {
        const has = names().includes(old);
        if (has) write(names().map((other) => (other === old ? name : other)));
        return has;
      },
      toggle: (name, force = !names().includes(name)) => {
        write(force ? [...new Set([...names(), name])] : names().filter((other) => other !== name));
        return force;
      },
      get length() {
        return names().length;
      },
      get value() {
        return names().join(' ');
      },
      [Symbol.iterator]: () => names()[Symbol.iterator](),
    };
  }

  get value() {
    return this.#value ?? this.getAttribute('value') ?? '';
  }
  set value(value) {
    this.#value = value === null ? '' : String(value);
  }

  matches(selector) {
    return matcher(selector)(this);
  }
  closest(selector) {
    const matches = matcher(selector);
    for (let node = this; node instanceof Element; node = node.parentNode) {
      if (matches(node)) return node;
    }
    return null;
  }
  querySelector(selector) {
    return this.querySelectorAll(selector)[0] ?? null;
  }
  querySelectorAll(selector) {
    return [...descendants(this)].filter(matcher(selector));
  }

  focus() {}
  blur() {}
  scrollIntoView() {}

  click() {
    if (this.disabled) return;
    const event = new Event('click', { bubbles: true, cancelable: true, composed: true });
    this.dispatchEvent(event);
  }
}

/** Attributes that are properties too. */
const REFLECTED = { id: 'id', className: 'class', title: 'title', href: 'href', type: 'type', name: 'name', placeholder: 'placeholder', htmlFor: 'for', role: 'role' };
const SWITCHES = ['hidden', 'disabled', 'checked', 'open', 'readOnly', 'required', 'selected'];
for (const [property, attribute] of Object.entries(REFLECTED)) {
  Object.defineProperty(Element.prototype, property, {
    configurable: true,
    get() {
      return this.getAttribute(attribute) ?? '';
    },
    set(value) {
      this.setAttribute(attribute, value);
    },
  });
}
for (const property of SWITCHES) {
  Object.defineProperty(Element.prototype, property, {
    configurable: true,
    get() {
      return this.hasAttribute(property);
    },
    set(value) {
      this.toggleAttribute(property, Boolean(value));
    },
  });
}

const MARKUP = 'use textContent and append; what other people wrote must never become HTML';
defineAbsentMembers(Element.prototype, 'element', {
  innerHTML: MARKUP,
  outerHTML: MARKUP,
  insertAdjacentHTML: MARKUP,
  attachShadow: 'use elements without a shadow',
  animate: 'set a class instead',
  getBoundingClientRect: 'the grader lays nothing out',
});
defineHandlers(Element.prototype, ['click', 'input', 'change', 'submit', 'keydown', 'keyup']);

// ---- the document

let isHidden = false;

class Document extends Element {
  title = '';

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
defineAbsentMembers(Document.prototype, 'document', {
  cookie: 'keep it in a variable',
  write: 'use append',
  open: 'the labs need no navigation',
});

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
defineAbsentMembers(location, 'location', {
  assign: 'the labs need no navigation',
  reload: 'reconnect instead of reloading the page',
  replace: 'the labs need no navigation',
});

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
  sendBeacon: standIn('navigator.sendBeacon', 'use fetch with keepalive: true'),
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
