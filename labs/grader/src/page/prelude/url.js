// URL and URLSearchParams (URL Standard). Parsing is the bench's.

import { host, text } from './host.js';

const read = (url, part) => url._parts[part];

export class URL {
  /** @internal */ _parts;
  #searchParams = null;

  constructor(url, base) {
    Object.defineProperty(this, '_parts', { enumerable: false, writable: true });
    this._parts = parse(url, base);
    if (!this._parts) throw new TypeError(`Invalid URL: '${url}'`);
  }

  static canParse(url, base) {
    return Boolean(parse(url, base));
  }

  static parse(url, base) {
    return URL.canParse(url, base) ? new URL(url, base) : null;
  }

  get href() {
    return read(this, 'href');
  }
  set href(value) {
    const parts = parse(value);
    if (!parts) throw new TypeError(`Invalid URL: '${value}'`);
    this._parts = parts;
    this.#searchParams?._reread();
  }

  get origin() {
    return read(this, 'origin');
  }

  get searchParams() {
    this.#searchParams ??= URLSearchParams._of(this);
    return this.#searchParams;
  }

  /** @internal */
  _change(part, value) {
    this._parts = host.changeUrl(this._parts.href, part, text(value)) ?? this._parts;
    if (part === 'search') this.#searchParams?._reread();
  }

  toString() {
    return this.href;
  }

  toJSON() {
    return this.href;
  }
}

const parse = (url, base) =>
  host.parseUrl(text(url), base === undefined ? undefined : text(base)) ?? null;

const PARTS = ['protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'];
for (const part of PARTS) {
  Object.defineProperty(URL.prototype, part, {
    configurable: true,
    enumerable: true,
    get() {
      return read(this, part);
    },
    set(value) {
      this._change(part, value);
    },
  });
}

export class URLSearchParams {
  #pairs = [];
  #url = null;

  constructor(init = '') {
    if (typeof init === 'object' && init !== null) {
      if (typeof init[Symbol.iterator] === 'function') {
        for (const pair of init) {
          const both = [...pair];
          if (both.length !== 2) throw new TypeError('a parameter is a pair of name and value');
          this.#pairs.push([text(both[0]), text(both[1])]);
        }
      } else {
        this.#pairs = Object.entries(init).map(([name, value]) => [text(name), text(value)]);
      }
    } else {
      this.#pairs = host.parseQuery(text(init).replace(/^\?/, ''));
    }
  }

  /** @internal The parameters of a URL, which follow it and change it. */
  static _of(url) {
    const params = new URLSearchParams();
    params.#url = url;
    params._reread();
    return params;
  }

  /** @internal */
  _reread() {
    this.#pairs = host.parseQuery(this.#url.search.replace(/^\?/, ''));
  }

  #update() {
    if (!this.#url) return;
    const query = this.toString();
    const url = this.#url;
    url._parts = host.changeUrl(url._parts.href, 'search', query) ?? url._parts;
  }

  get size() {
    return this.#pairs.length;
  }

  append(name, value) {
    this.#pairs.push([text(name), text(value)]);
    this.#update();
  }

  delete(name, value) {
    this.#pairs = this.#pairs.filter(
      ([other, its]) => other !== text(name) || (value !== undefined && its !== text(value)),
    );
    this.#update();
  }

  get(name) {
    return this.#pairs.find(([other]) => other === text(name))?.[1] ?? null;
  }

  getAll(name) {
    return this.#pairs.filter(([other]) => other === text(name)).map(([, value]) => value);
  }

  has(name, value) {
    return this.#pairs.some(
      ([other, its]) => other === text(name) && (value === undefined || its === text(value)),
    );
  }

  set(name, value) {
    const first = this.#pairs.findIndex(([other]) => other === text(name));
    if (first === -1) {
      this.#pairs.push([text(name), text(value)]);
    } else {
      this.#pairs[first][1] = text(value);
      this.#pairs = this.#pairs.filter(([other], index) => index <= first || other !== text(name));
    }
    this.#update();
  }

  sort() {
    this.#pairs.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));
    this.#update();
  }

  forEach(callback, self) {
    for (const [name, value] of this) callback.call(self, value, name, this);
  }

  *entries() {
    for (let index = 0; index < this.#pairs.length; index++) yield [...this.#pairs[index]];
  }
  *keys() {
    for (const [name] of this.entries()) yield name;
  }
  *values() {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  toString() {
    return host.writeQuery(this.#pairs);
  }
}
