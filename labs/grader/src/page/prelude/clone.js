// structuredClone (HTML § 2.7).

import { AbortController } from './abort.js';
import { notAvailable } from './absent.js';
import { Body } from './body.js';
import { TextDecoder, TextEncoder } from './encoding.js';
import { Event, EventTarget } from './events.js';
import { Headers } from './headers.js';
import { ReadableStream, TransformStream, WritableStream } from './streams.js';
import { URL, URLSearchParams } from './url.js';

const ERRORS = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

const refuse = (value) => {
  const name =
    typeof value === 'object' ? `#<${value.constructor?.name ?? 'Object'}>` : String(value);
  throw new DOMException(`${name} could not be cloned.`, 'DataCloneError');
};

const STREAMS = [ReadableStream, TransformStream, WritableStream];
const PLATFORM = [
  AbortController,
  Body,
  Event,
  EventTarget,
  Headers,
  Promise,
  TextDecoder,
  TextEncoder,
  URL,
  URLSearchParams,
  WeakMap,
  WeakRef,
  WeakSet,
  ...STREAMS,
];

const isOneOf = (types, value) => types.some((type) => value instanceof type);

const clone = (value, seen, transferred) => {
  if (typeof value === 'symbol' || typeof value === 'function') refuse(value);
  if (typeof value !== 'object' || value === null) return value;
  if (seen.has(value)) return seen.get(value);
  const keep = (copy) => {
    seen.set(value, copy);
    return copy;
  };
  const inner = (item) => clone(item, seen, transferred);
  if (isOneOf(PLATFORM, value)) refuse(value);
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

export const structuredClone = (value, { transfer = [] } = {}) => {
  if ([...transfer].some((item) => isOneOf(STREAMS, item))) {
    throw notAvailable('structuredClone of a stream', 'pass on the stream itself');
  }
  return clone(value, new Map(), new Set(transfer));
};
