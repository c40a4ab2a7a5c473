// What a document is made of (DOM § 4): nodes, text and fragments.

import { EventTarget, PARENT } from './events.js';

const ELEMENT = 1;
const DOCUMENT = 9;

export class Node extends EventTarget {
  #parent = null;
  #children = [];

  get parentNode() {
    return this.#parent;
  }
  get parentElement() {
    return this.#parent?.nodeType === ELEMENT ? this.#parent : null;
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
    return this.getRootNode().nodeType === DOCUMENT;
  }

  /** @internal Where events go on to. */
  get [PARENT]() {
    return this.#parent;
  }

  #sibling(step) {
    const siblings = this.#parent?.childNodes ?? [];
    return siblings[siblings.indexOf(this) + step] ?? null;
  }

  get nodeValue() {
    return null;
  }

  getRootNode() {
    return this.#parent?.getRootNode() ?? this;
  }

  /** @internal Another one of its kind, without what is in it. */
  _copy() {
    return new this.constructor();
  }

  cloneNode(deep = false) {
    const copy = this._copy();
    if (deep) copy.append(...this.#children.map((child) => child.cloneNode(true)));
    return copy;
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
    if (node.nodeType === DOCUMENT) {
      throw new DOMException('A document is part of nothing.', 'HierarchyRequestError');
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
  get nodeType() {
    return 3;
  }
  get nodeValue() {
    return this.#data;
  }
  set nodeValue(value) {
    this.data = value;
  }
  get length() {
    return this.#data.length;
  }
  /** @internal */
  _copy() {
    return new Text(this.#data);
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

export class DocumentFragment extends Node {
  get nodeName() {
    return '#document-fragment';
  }
  get nodeType() {
    return 11;
  }
}
