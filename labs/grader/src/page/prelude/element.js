// Elements (DOM § 4.9, HTML § 3.2): what clients need to show things as a web page does.

import { notAvailable } from './absent.js';
import { Event, defineHandlers } from './events.js';
import { Node } from './node.js';

/** The elements below a node, in the document's order. */
export function* descendants(node) {
  for (const child of node.childNodes) {
    if (!(child instanceof Element)) continue;
    yield child;
    yield* descendants(child);
  }
}

/** The next element on one side of another. */
const sibling = (element, step) => {
  const elements = element.parentNode?.children ?? [];
  return elements[elements.indexOf(element) + step] ?? null;
};

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

/** The declarations of a `style` attribute, by their names in JavaScript. */
class Style {
  setProperty(name, value) {
    this[styleName(name)] = String(value);
  }
  getPropertyValue(name) {
    return this[styleName(name)] ?? '';
  }
  removeProperty(name) {
    const value = this.getPropertyValue(name);
    delete this[styleName(name)];
    return value;
  }
}

const styleName = (name) =>
  name.startsWith('--') ? name : name.replace(/-([a-z])/g, (_, letter) => letter.toUpperCase());

export class Element extends Node {
  #name;
  #attributes = new Map();
  #style = new Style();
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
  get nodeType() {
    return 1;
  }
  get nextElementSibling() {
    return sibling(this, 1);
  }
  get previousElementSibling() {
    return sibling(this, -1);
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

  /** @internal */
  _copy() {
    const copy = new Element(this.#name);
    for (const [name, value] of this.#attributes) copy.setAttribute(name, value);
    return copy;
  }

  insertAdjacentElement(where, element) {
    switch (String(where).toLowerCase()) {
      case 'beforebegin':
        this.before(element);
        break;
      case 'afterbegin':
        this.prepend(element);
        break;
      case 'beforeend':
        this.append(element);
        break;
      case 'afterend':
        this.after(element);
        break;
      default:
        throw new DOMException(`'${where}' is no place: it is beforebegin, afterbegin, beforeend or afterend.`, 'SyntaxError');
    }
    return element;
  }
  insertAdjacentText(where, text) {
    this.insertAdjacentElement(where, String(text));
  }

  getAttributeNames() {
    return [...this.#attributes.keys()];
  }
  hasAttributes() {
    return this.#attributes.size > 0;
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
      forEach: (callback, self) => names().forEach((name, index) => callback.call(self, name, index)),
      item: (index) => names()[index] ?? null,
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
  scroll() {}
  scrollBy() {}
  scrollIntoView() {}
  scrollTo() {}

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

/** Nothing is laid out here, so nothing has a size; what a client scrolls stays where it is. */
for (const property of ['clientHeight', 'clientWidth', 'offsetHeight', 'offsetWidth', 'scrollHeight', 'scrollWidth']) {
  Object.defineProperty(Element.prototype, property, { configurable: true, get: () => 0 });
}
for (const property of ['scrollLeft', 'scrollTop']) {
  Object.defineProperty(Element.prototype, property, { configurable: true, get: () => 0, set: () => {} });
}

defineHandlers(Element.prototype, ['click', 'input', 'change', 'submit', 'keydown', 'keyup']);
