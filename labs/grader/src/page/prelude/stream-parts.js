// What the streams share (Streams § 7 and § 8).

/** Who makes a controller: only a stream. */
export const MAKING = Symbol('made by a stream');

/** A promise with its resolvers, whose rejection is never "unhandled". */
export const deferred = () => {
  const { promise, resolve, reject } = Promise.withResolvers();
  promise.catch(() => {});
  const result = {
    promise,
    isPending: true,
    resolve: (value) => {
      result.isPending = false;
      resolve(value);
    },
    reject: (reason) => {
      result.isPending = false;
      reject(reason);
    },
  };
  return result;
};

/** A rejected promise in place of `before`: this one where it is still pending, else a new one. */
export const rejecting = (before, reason) => {
  const result = before?.isPending ? before : deferred();
  result.reject(reason);
  return result;
};

/** A number that a strategy may give: 0 or more. */
const amount = (value, name, most) => {
  const number = Number(value);
  if (Number.isNaN(number) || number < 0 || number > most) throw new RangeError(`${name} is not a number of 0 or more`);
  return number;
};

/** An optional method of a source, a sink or a transformer, bound to it. */
export const methodOf = (object, name) => {
  const method = object[name];
  if (method === undefined) return undefined;
  if (typeof method !== 'function') throw new TypeError(`${name} is not a function`);
  return (...values) => Reflect.apply(method, object, values);
};

/** Strategy → [high water mark, size of a chunk]. */
export const strategyOf = (strategy, standard) => {
  const mark = strategy?.highWaterMark;
  const size = strategy?.size ?? (() => 1);
  if (typeof size !== 'function') throw new TypeError('size is not a function');
  return [
    mark === undefined ? standard : amount(mark, 'highWaterMark', Infinity),
    (chunk) => amount(size(chunk), "a chunk's size", Number.MAX_VALUE),
  ];
};

/** The result of a call as a promise, whether it returned or threw. */
export const attempt = (call, ...values) => {
  try {
    return Promise.resolve(call(...values));
  } catch (error) {
    return Promise.reject(error);
  }
};

/** Keeps what only the prelude reads out of sight. */
export const hide = (object, names) => {
  for (const name of names) Object.defineProperty(object, name, { enumerable: false });
};

export class CountQueuingStrategy {
  constructor({ highWaterMark }) {
    this.highWaterMark = highWaterMark;
  }
  size() {
    return 1;
  }
}

export class ByteLengthQueuingStrategy {
  constructor({ highWaterMark }) {
    this.highWaterMark = highWaterMark;
  }
  size(chunk) {
    return chunk.byteLength;
  }
}
