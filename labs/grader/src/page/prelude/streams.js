// Streams (WHATWG), with default readers; what the labs use of them.

import { AbortController } from './abort.js';
import { notAvailable } from './absent.js';

/** A promise with its resolvers, whose rejection is never "unhandled". */
const deferred = () => {
  const result = Promise.withResolvers();
  result.promise.catch(() => {});
  return result;
};

const positive = (value) => {
  const number = Number(value);
  if (Number.isNaN(number) || number < 0) throw new RangeError('highWaterMark is 0 or more');
  return number;
};

/** Strategy → [high water mark, size of a chunk]. */
const strategyOf = (strategy, standard) => [
  strategy?.highWaterMark === undefined ? standard : positive(strategy.highWaterMark),
  strategy?.size === undefined ? () => 1 : (chunk) => strategy.size(chunk),
];

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

const MAKING = Symbol('made by a stream');

// ---- reading

export class ReadableStreamDefaultController {
  #stream;
  #queue = [];
  #queued = 0;
  #highWaterMark;
  #size;
  #pull;
  #cancel;
  #isStarted = false;
  #isClosing = false;
  #isPulling = false;
  #pullAgain = false;

  constructor(making, stream, source, [highWaterMark, size]) {
    if (making !== MAKING) throw new TypeError('Illegal constructor');
    this.#stream = stream;
    this.#highWaterMark = highWaterMark;
    this.#size = size;
    this.#pull = source.pull ? () => source.pull(this) : () => {};
    this.#cancel = source.cancel ? (reason) => source.cancel(reason) : () => {};
  }

  /** @internal */
  _start(source) {
    const started = source.start?.(this);
    Promise.resolve(started).then(
      () => {
        this.#isStarted = true;
        this.#pullIfNeeded();
      },
      (error) => this.error(error),
    );
  }

  get desiredSize() {
    if (this.#stream._state === 'errored') return null;
    if (this.#stream._state === 'closed') return 0;
    return this.#highWaterMark - this.#queued;
  }

  get #canClose() {
    return !this.#isClosing && this.#stream._state === 'readable';
  }

  enqueue(chunk) {
    if (!this.#canClose) throw new TypeError('The stream is closed: nothing can be enqueued.');
    const request = this.#stream._requests.shift();
    if (request) {
      request.chunk(chunk);
    } else {
      let size;
      try {
        size = this.#size(chunk);
      } catch (error) {
        this.error(error);
        throw error;
      }
      this.#queue.push({ chunk, size });
      this.#queued += size;
    }
    this.#pullIfNeeded();
  }

  close() {
    if (!this.#canClose) throw new TypeError('The stream is closed already.');
    this.#isClosing = true;
    if (this.#queue.length === 0) this.#finish();
  }

  error(reason) {
    if (this.#stream._state !== 'readable') return;
    this.#forget();
    this.#stream._fail(reason);
  }

  #forget() {
    this.#queue = [];
    this.#queued = 0;
    this.#pull = () => {};
  }

  #finish() {
    this.#pull = () => {};
    this.#stream._close();
  }

  /** @internal */
  _read(request) {
    if (this.#queue.length === 0) {
      this.#stream._requests.push(request);
      this.#pullIfNeeded();
      return;
    }
    const { chunk, size } = this.#queue.shift();
    this.#queued -= size;
    if (this.#isClosing && this.#queue.length === 0) {
      this.#finish();
    } else {
      this.#pullIfNeeded();
    }
    request.chunk(chunk);
  }

  /** @internal */
  _cancel(reason) {
    const cancel = this.#cancel;
    this.#forget();
    this.#cancel = () => {};
    return cancel(reason);
  }

  /** @internal Whether somebody waits for a chunk, or there is room for one. */
  get _isWanting() {
    return this.#stream._requests.length > 0 || this.desiredSize > 0;
  }

  #pullIfNeeded() {
    if (!this.#canClose || !this.#isStarted || !this._isWanting) return;
    if (this.#isPulling) {
      this.#pullAgain = true;
      return;
    }
    this.#isPulling = true;
    attempt(this.#pull).then(
      () => {
        this.#isPulling = false;
        if (this.#pullAgain) {
          this.#pullAgain = false;
          this.#pullIfNeeded();
        }
      },
      (error) => this.error(error),
    );
  }
}

/** The result of a call as a promise, whether it returned or threw. */
const attempt = (call, ...values) => {
  try {
    return Promise.resolve(call(...values));
  } catch (error) {
    return Promise.reject(error);
  }
};

export class ReadableStream {
  /** @internal */ _state = 'readable';
  /** @internal */ _error = undefined;
  /** @internal */ _reader = null;
  /** @internal Reads that wait for a chunk. */ _requests = [];
  /** @internal */ _isDisturbed = false;
  /** @internal */ _controller;

  constructor(source = {}, strategy = {}) {
    if (source === null || typeof source !== 'object') throw new TypeError('a source is an object');
    hide(this, ['_state', '_error', '_reader', '_requests', '_isDisturbed', '_controller']);
    const standard = source.type === 'bytes' ? 0 : 1;
    const queuing = strategyOf(strategy, standard);
    this._controller = new ReadableStreamDefaultController(MAKING, this, source, queuing);
    this._controller._start(source);
  }

  static from(iterable) {
    const iterator = iterable[Symbol.asyncIterator]?.() ?? iterable[Symbol.iterator]();
    return new ReadableStream(
      {
        async pull(controller) {
          const { done, value } = await iterator.next();
          if (done) {
            controller.close();
          } else {
            controller.enqueue(await value);
          }
        },
        async cancel(reason) {
          await iterator.return?.(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  get locked() {
    return this._reader !== null;
  }

  getReader(options) {
    if (options?.mode !== undefined) {
      throw notAvailable("getReader({ mode: 'byob' })", 'use getReader() without a mode');
    }
    return new ReadableStreamDefaultReader(this);
  }

  cancel(reason) {
    if (this.locked) return Promise.reject(new TypeError('Cannot cancel a locked stream'));
    return this._cancel(reason);
  }

  /** @internal */
  _cancel(reason) {
    this._isDisturbed = true;
    if (this._state === 'closed') return Promise.resolve();
    if (this._state === 'errored') return Promise.reject(this._error);
    this._close();
    return attempt(() => this._controller._cancel(reason)).then(() => undefined);
  }

  /** @internal */
  _close() {
    this._state = 'closed';
    const requests = this._requests;
    this._requests = [];
    this._reader?._closed.resolve();
    for (const request of requests) request.close();
  }

  /** @internal */
  _fail(reason) {
    this._state = 'errored';
    this._error = reason;
    const requests = this._requests;
    this._requests = [];
    this._reader?._closed.reject(reason);
    for (const request of requests) request.error(reason);
  }

  tee() {
    const reader = this.getReader();
    const controllers = [null, null];
    const isCanceled = [false, false];
    const reasons = [undefined, undefined];
    const canceled = deferred();
    let isReading = false;
    let readAgain = false;
    const pull = () => {
      if (isReading) {
        readAgain = true;
        return;
      }
      isReading = true;
      reader._read({
        chunk: (chunk) =>
          queueMicrotask(() => {
            readAgain = false;
            isReading = false;
            controllers.forEach((controller, branch) => {
              if (!isCanceled[branch]) controller.enqueue(chunk);
            });
            if (readAgain) pull();
          }),
        close: () => {
          isReading = false;
          controllers.forEach((controller, branch) => {
            if (!isCanceled[branch]) controller.close();
          });
          if (!isCanceled[0] || !isCanceled[1]) canceled.resolve();
        },
        error: () => {
          isReading = false;
        },
      });
    };
    const branches = [0, 1].map(
      (branch) =>
        new ReadableStream({
          start(controller) {
            controllers[branch] = controller;
          },
          pull,
          cancel(reason) {
            isCanceled[branch] = true;
            reasons[branch] = reason;
            if (isCanceled[0] && isCanceled[1]) canceled.resolve(reader._stream._cancel(reasons));
            return canceled.promise;
          },
        }),
    );
    reader._closed.promise.catch((error) => {
      controllers.forEach((controller) => controller.error(error));
      canceled.resolve();
    });
    return branches;
  }

  async pipeTo(destination, { preventClose, preventAbort, preventCancel, signal } = {}) {
    if (!(destination instanceof WritableStream)) throw new TypeError('pipeTo takes a WritableStream');
    if (this.locked || destination.locked) throw new TypeError('Cannot pipe a locked stream');
    const reader = this.getReader();
    const writer = destination.getWriter();
    this._isDisturbed = true;
    const aborted = deferred();
    const forget = signal?._onAbort(() => aborted.reject(signal.reason));
    if (signal?.aborted) aborted.reject(signal.reason);
    const broken = deferred();
    writer.closed.catch((error) => broken.reject(error));
    let last = Promise.resolve();
    // Who ends it decides what becomes of the other side.
    let culprit = 'source';
    const stop = (promise, who) =>
      promise.catch((error) => {
        culprit = who;
        throw error;
      });
    const interrupted = Promise.race([
      stop(aborted.promise, 'signal'),
      stop(broken.promise, 'destination'),
    ]);
    interrupted.catch(() => {});
    try {
      for (;;) {
        await Promise.race([writer.ready, interrupted]);
        const { done, value } = await Promise.race([reader.read(), interrupted]);
        if (done) break;
        last = writer.write(value);
        last.catch(() => {});
      }
      if (!preventClose) await Promise.race([writer.close(), interrupted]);
      else await last;
    } catch (error) {
      await last.catch(() => {});
      const ends = [];
      if (culprit !== 'destination' && !preventAbort) ends.push(writer.abort(error));
      if (culprit !== 'source' && !preventCancel) ends.push(reader.cancel(error));
      await Promise.allSettled(ends);
      throw error;
    } finally {
      forget?.();
      reader.releaseLock();
      writer.releaseLock();
    }
  }

  pipeThrough({ readable, writable }, options) {
    this.pipeTo(writable, options).catch(() => {});
    return readable;
  }

  values({ preventCancel = false } = {}) {
    const reader = this.getReader();
    let isDone = false;
    return {
      async next() {
        if (isDone) return { done: true, value: undefined };
        try {
          const result = await reader.read();
          if (result.done) {
            isDone = true;
            reader.releaseLock();
          }
          return result;
        } catch (error) {
          isDone = true;
          reader.releaseLock();
          throw error;
        }
      },
      async return(value) {
        if (!isDone) {
          isDone = true;
          const canceled = preventCancel ? undefined : reader.cancel(value);
          reader.releaseLock();
          await canceled;
        }
        return { done: true, value };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  [Symbol.asyncIterator](options) {
    return this.values(options);
  }
}

export class ReadableStreamDefaultReader {
  /** @internal */ _stream;
  /** @internal */ _closed = deferred();

  constructor(stream) {
    if (stream.locked) throw new TypeError('The stream is locked by another reader.');
    hide(this, ['_stream', '_closed']);
    this._stream = stream;
    stream._reader = this;
    if (stream._state === 'closed') this._closed.resolve();
    if (stream._state === 'errored') this._closed.reject(stream._error);
  }

  get closed() {
    return this._closed.promise;
  }

  read() {
    if (!this._stream) return Promise.reject(new TypeError('This reader has released its lock.'));
    const result = Promise.withResolvers();
    this._read({
      chunk: (value) => result.resolve({ done: false, value }),
      close: () => result.resolve({ done: true, value: undefined }),
      error: (error) => result.reject(error),
    });
    return result.promise;
  }

  /** @internal */
  _read(request) {
    const stream = this._stream;
    stream._isDisturbed = true;
    if (stream._state === 'closed') {
      request.close();
    } else if (stream._state === 'errored') {
      request.error(stream._error);
    } else {
      stream._controller._read(request);
    }
  }

  cancel(reason) {
    if (!this._stream) return Promise.reject(new TypeError('This reader has released its lock.'));
    return this._stream._cancel(reason);
  }

  releaseLock() {
    const stream = this._stream;
    if (!stream) return;
    const released = new TypeError('This reader has released its lock.');
    if (stream._state !== 'readable') this._closed = deferred();
    this._closed.reject(released);
    const requests = stream._requests;
    stream._requests = [];
    stream._reader = null;
    this._stream = undefined;
    for (const request of requests) request.error(released);
  }
}

// ---- writing

export class WritableStreamDefaultController {
  #stream;
  #abort = new AbortController();

  constructor(making, stream) {
    if (making !== MAKING) throw new TypeError('Illegal constructor');
    this.#stream = stream;
  }

  get signal() {
    return this.#abort.signal;
  }

  error(reason) {
    if (this.#stream._state === 'writable') this.#stream._fail(reason);
  }

  /** @internal */
  _signalAbort(reason) {
    this.#abort.abort(reason);
  }
}

export class WritableStream {
  /** @internal */ _state = 'writable';
  /** @internal */ _error = undefined;
  /** @internal */ _writer = null;
  #sink;
  #controller;
  #queue = [];
  #queued = 0;
  #highWaterMark;
  #size;
  #isStarted = false;
  #inFlight = null;
  #isClosing = false;
  /** An abort that waits for the write in flight. */
  #abort = null;

  constructor(sink = {}, strategy = {}) {
    hide(this, ['_state', '_error', '_writer']);
    this.#sink = sink;
    [this.#highWaterMark, this.#size] = strategyOf(strategy, 1);
    this.#controller = new WritableStreamDefaultController(MAKING, this);
    const started = sink.start?.(this.#controller);
    Promise.resolve(started).then(
      () => {
        this.#isStarted = true;
        this.#advance();
      },
      (error) => this._fail(error),
    );
  }

  get locked() {
    return this._writer !== null;
  }

  getWriter() {
    return new WritableStreamDefaultWriter(this);
  }

  abort(reason) {
    if (this.locked) return Promise.reject(new TypeError('Cannot abort a locked stream'));
    return this._abort(reason);
  }

  close() {
    if (this.locked) return Promise.reject(new TypeError('Cannot close a locked stream'));
    return this._close();
  }

  /** @internal */
  get _desiredSize() {
    if (this._state === 'errored') return null;
    if (this._state === 'closed') return 0;
    return this.#highWaterMark - this.#queued;
  }

  /** @internal */
  get _isWritable() {
    return this._state === 'writable' && !this.#isClosing;
  }

  /** @internal */
  _write(chunk) {
    if (this._state === 'errored') return Promise.reject(this._error);
    if (!this._isWritable) return Promise.reject(new TypeError('The stream is closing or closed.'));
    const job = { kind: 'write', chunk, size: 1, ...deferred() };
    try {
      job.size = this.#size(chunk);
    } catch (error) {
      this._fail(error);
      return Promise.reject(error);
    }
    this.#queue.push(job);
    this.#queued += job.size;
    this._writer?._pressure();
    this.#advance();
    return job.promise;
  }

  /** @internal */
  _close() {
    if (this._state === 'errored') return Promise.reject(this._error);
    if (!this._isWritable) return Promise.reject(new TypeError('The stream is closing or closed.'));
    this.#isClosing = true;
    const job = { kind: 'close', size: 0, ...deferred() };
    this.#queue.push(job);
    this._writer?._pressure();
    this.#advance();
    return job.promise;
  }

  /** @internal */
  _abort(reason) {
    if (this._state === 'closed' || this._state === 'errored') return Promise.resolve();
    if (this.#abort) return this.#abort.promise;
    this.#controller._signalAbort(reason);
    this.#abort = { reason, ...deferred() };
    const { promise } = this.#abort;
    this._fail(reason);
    return promise;
  }

  /** @internal */
  _fail(reason) {
    if (this._state !== 'writable') return;
    this._state = 'errored';
    this._error = reason;
    const jobs = this.#queue;
    this.#queue = [];
    this.#queued = 0;
    for (const job of jobs) job.reject(reason);
    this._writer?._fail(reason);
    if (!this.#inFlight) this.#finishAbort();
  }

  #finishAbort() {
    if (!this.#abort) return;
    const { reason, resolve, reject } = this.#abort;
    this.#abort = null;
    attempt(() => this.#sink.abort?.(reason)).then(() => resolve(), reject);
  }

  #advance() {
    if (!this.#isStarted || this.#inFlight || this._state !== 'writable') return;
    const job = this.#queue[0];
    if (!job) return;
    this.#inFlight = job;
    const call =
      job.kind === 'write'
        ? () => this.#sink.write?.(job.chunk, this.#controller)
        : () => this.#sink.close?.();
    attempt(call).then(
      () => {
        this.#inFlight = null;
        if (this._state === 'writable') {
          this.#queue.shift();
          this.#queued -= job.size;
        }
        job.resolve();
        if (this._state === 'errored') {
          this.#finishAbort();
        } else if (job.kind === 'close') {
          this._state = 'closed';
          this._writer?._closed.resolve();
        } else {
          this._writer?._pressure();
          this.#advance();
        }
      },
      (error) => {
        this.#inFlight = null;
        if (this._state === 'writable') this.#queue.shift();
        job.reject(error);
        if (this._state === 'errored') {
          this.#finishAbort();
        } else {
          this._fail(error);
        }
      },
    );
  }
}

export class WritableStreamDefaultWriter {
  #stream;
  #ready = deferred();
  #isReady = false;
  /** @internal */ _closed = deferred();

  constructor(stream) {
    if (stream.locked) throw new TypeError('The stream is locked by another writer.');
    hide(this, ['_closed']);
    this.#stream = stream;
    stream._writer = this;
    if (stream._state === 'errored') this._fail(stream._error);
    if (stream._state === 'closed') {
      this.#ready.resolve();
      this._closed.resolve();
    }
    if (stream._state === 'writable') this._pressure();
  }

  get closed() {
    return this._closed.promise;
  }
  get ready() {
    return this.#ready.promise;
  }
  get desiredSize() {
    if (!this.#stream) throw new TypeError('This writer has released its lock.');
    return this.#stream._desiredSize;
  }

  write(chunk) {
    return this.#stream?._write(chunk) ?? this.#isReleased();
  }
  close() {
    return this.#stream?._close() ?? this.#isReleased();
  }
  abort(reason) {
    return this.#stream?._abort(reason) ?? this.#isReleased();
  }

  releaseLock() {
    if (!this.#stream) return;
    const released = new TypeError('This writer has released its lock.');
    this.#stream._writer = null;
    this.#stream = undefined;
    this._fail(released);
  }

  #isReleased() {
    return Promise.reject(new TypeError('This writer has released its lock.'));
  }

  /** @internal */
  _fail(reason) {
    if (this.#isReady) this.#ready = deferred();
    this.#ready.reject(reason);
    this._closed.reject(reason);
  }

  /** @internal The stream is fuller or emptier than before. */
  _pressure() {
    const isReady = this.#stream._desiredSize > 0 || !this.#stream._isWritable;
    if (isReady === this.#isReady) return;
    this.#isReady = isReady;
    if (isReady) {
      this.#ready.resolve();
    } else {
      this.#ready = deferred();
    }
  }
}

// ---- transforming

export class TransformStreamDefaultController {
  #readable;
  #fail;
  #onEnqueue;

  constructor(making, readable, fail, onEnqueue) {
    if (making !== MAKING) throw new TypeError('Illegal constructor');
    this.#readable = readable;
    this.#fail = fail;
    this.#onEnqueue = onEnqueue;
  }

  get desiredSize() {
    return this.#readable.desiredSize;
  }
  enqueue(chunk) {
    this.#readable.enqueue(chunk);
    this.#onEnqueue();
  }
  error(reason) {
    this.#fail(reason);
  }
  terminate() {
    this.#readable.close();
    this.#fail(new TypeError('The transform stream was terminated.'));
  }
}

export class TransformStream {
  #readable;
  #writable;

  constructor(transformer = {}, writableStrategy = {}, readableStrategy = {}) {
    let source;
    let sink;
    // Nothing is transformed before somebody wants it.
    let isFull = true;
    let changed = deferred();
    const setFull = (full) => {
      if (isFull === full) return;
      isFull = full;
      changed.resolve();
      changed = deferred();
    };
    const fail = (reason) => {
      source.error(reason);
      sink.error(reason);
      setFull(false);
    };
    this.#readable = new ReadableStream(
      {
        start(controller) {
          source = controller;
        },
        pull() {
          setFull(false);
          // The next pull is due when this one has been answered.
          return changed.promise;
        },
        async cancel(reason) {
          await transformer.cancel?.(reason);
          sink.error(reason);
          setFull(false);
        },
      },
      { highWaterMark: 0, ...readableStrategy },
    );
    const controller = new TransformStreamDefaultController(MAKING, source, fail, () => {
      if (!source._isWanting) setFull(true);
    });
    this.#writable = new WritableStream(
      {
        async start(writable) {
          sink = writable;
          await transformer.start?.(controller);
        },
        async write(chunk) {
          if (isFull) await changed.promise;
          try {
            if (transformer.transform) await transformer.transform(chunk, controller);
            else controller.enqueue(chunk);
          } catch (error) {
            fail(error);
            throw error;
          }
        },
        async close() {
          try {
            await transformer.flush?.(controller);
            if (source.desiredSize !== null) source.close();
          } catch (error) {
            fail(error);
            throw error;
          }
        },
        async abort(reason) {
          await transformer.cancel?.(reason);
          source.error(reason);
        },
      },
      writableStrategy,
    );
  }

  get readable() {
    return this.#readable;
  }
  get writable() {
    return this.#writable;
  }
}

const hide = (object, names) => {
  for (const name of names) Object.defineProperty(object, name, { enumerable: false });
};
