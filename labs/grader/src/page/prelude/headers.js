// Headers (Fetch § 5.1).

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const WHITESPACE = /^[\t\n\r ]+|[\t\n\r ]+$/g;

/** What only the browser sets (Fetch § 2.2.2): a client's value is dropped. */
const FORBIDDEN = new Set([
  'accept-charset',
  'accept-encoding',
  'access-control-request-headers',
  'access-control-request-method',
  'connection',
  'content-length',
  'cookie',
  'cookie2',
  'date',
  'dnt',
  'expect',
  'host',
  'keep-alive',
  'origin',
  'referer',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
]);

const normalName = (name) => {
  name = String(name);
  if (!NAME.test(name)) throw new TypeError(`Invalid header name: '${name}'`);
  return name.toLowerCase();
};

const normalValue = (value) => {
  value = String(value).replace(WHITESPACE, '');
  for (const character of value) {
    const code = character.codePointAt(0);
    if (code > 0xff || code === 0 || code === 10 || code === 13) {
      throw new TypeError(`Invalid header value: '${value}'`);
    }
  }
  return value;
};

export class Headers {
  /** Values by name, each in the order of appending. */
  #values = new Map();
  #guard = 'none';

  constructor(init) {
    if (init === undefined) return;
    if (init === null || typeof init !== 'object') {
      throw new TypeError('Headers are made of an object, pairs or Headers');
    }
    if (init instanceof Headers) {
      for (const [name, values] of init.#values) this.#values.set(name, [...values]);
    } else if (typeof init[Symbol.iterator] === 'function') {
      for (const pair of init) {
        const both = [...pair];
        if (both.length !== 2) throw new TypeError('a header is a pair of name and value');
        this.append(both[0], both[1]);
      }
    } else {
      for (const name of Reflect.ownKeys(init)) {
        if (Object.getOwnPropertyDescriptor(init, name)?.enumerable) this.append(name, init[name]);
      }
    }
  }

  /** @internal Headers of a request or a response, which refuse some changes. */
  static _guarded(init, guard) {
    const headers = new Headers();
    headers.#guard = guard === 'immutable' ? 'none' : guard;
    const filled = new Headers(init);
    for (const [name, values] of filled.#values) {
      for (const value of values) headers.append(name, value);
    }
    headers.#guard = guard;
    return headers;
  }

  /** Whether a change of this name is to be made. */
  #permits(name) {
    if (this.#guard === 'immutable') throw new TypeError('These headers are immutable.');
    const isForbidden = FORBIDDEN.has(name) || /^(proxy|sec)-/.test(name);
    return this.#guard !== 'request' || !isForbidden;
  }

  append(name, value) {
    [name, value] = [normalName(name), normalValue(value)];
    if (!this.#permits(name)) return;
    const values = this.#values.get(name);
    if (values) values.push(value);
    else this.#values.set(name, [value]);
  }

  set(name, value) {
    [name, value] = [normalName(name), normalValue(value)];
    if (this.#permits(name)) this.#values.set(name, [value]);
  }

  delete(name) {
    name = normalName(name);
    if (this.#permits(name)) this.#values.delete(name);
  }

  get(name) {
    return this.#values.get(normalName(name))?.join(', ') ?? null;
  }

  getSetCookie() {
    return [...(this.#values.get('set-cookie') ?? [])];
  }

  has(name) {
    return this.#values.has(normalName(name));
  }

  forEach(callback, self) {
    for (const [name, value] of this) callback.call(self, value, name, this);
  }

  *entries() {
    for (const name of [...this.#values.keys()].sort()) {
      const values = this.#values.get(name) ?? [];
      if (name === 'set-cookie') for (const value of values) yield [name, value];
      else yield [name, values.join(', ')];
    }
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
}
