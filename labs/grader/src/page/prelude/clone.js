// structuredClone (HTML § 2.7).

import { EventTarget } from './events.js';

const ERRORS = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

const refuse = (value) => {
  const name =
    typeof value === 'object' ? `#<${value.constructor?.name ?? 'Object'}>` : String(value);
  throw new DOMException(`${name} could not be cloned.`, 'DataCloneError');
};

const PLATFORM = [EventTarget, Promise, WeakMap, WeakSet, WeakRef];

const clone = (value, seen, transferred) => {
  if (typeof value === 'symbol' || typeof value === 'function') refuse(value);
  if (typeof value !== 'object' || value === null) return value;
  if (seen.has(value)) return seen.get(value);
  const keep = (copy) => {
    seen.set(value, copy);
    return copy;
  };
  const inner = (item) => clone(item, seen, transferred);
  if (PLATFORM.some((type) => value instanceof type)) refuse(value);
  if (value instanceof Date) return keep(new Date(value.getTime()));
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
  if (value instanceof Boolean || value instanceof Number || value instanceof String) {
    return keep(Object(value.valueOf()));
  }
  if (value instanceof ArrayBuffer) {
    return keep(transferred.has(value) ? value.transfer() : value.slice(0));
  }
  if (ArrayBuffer.isView(value)) {
    const length = value instanceof DataView ? value.byteLength : value.length;
    const { byteOffset } = value;
    const buffer = inner(value.buffer);
    return keep(new value.constructor(buffer, byteOffset, length));
  }
  if (value instanceof Map) {
    const copy = keep(new Map());
    for (const [key, item] of [...value]) copy.set(inner(key), inner(item));
    return copy;
  }
  if (value instanceof Set) {
    const copy = keep(new Set());
    for (const item of [...value]) copy.add(inner(item));
    return copy;
  }
  if (value instanceof Error) {
    const Type = ERRORS[value.name] ?? Error;
    const copy = keep(new Type(String(value.message)));
    if (Object.hasOwn(value, 'cause')) {
      Object.defineProperty(copy, 'cause', {
        value: inner(value.cause),
        configurable: true,
        writable: true,
      });
    }
    return copy;
  }
  if (value instanceof DOMException) return keep(new DOMException(value.message, value.name));
  const copy = keep(Array.isArray(value) ? new Array(value.length) : {});
  for (const key of Object.keys(value)) copy[key] = inner(value[key]);
  return copy;
};

export const structuredClone = (value, { transfer = [] } = {}) =>
  clone(value, new Map(), new Set(transfer));
