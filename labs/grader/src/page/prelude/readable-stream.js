// ReadableStream, with default readers (Streams § 4).

import { notAvailable } from './absent.js';
import { pipe } from './pipe.js';
import { MAKING, attempt, deferred, hide, methodOf, strategyOf } from './stream-parts.js';
import { WritableStream } from './writable-stream.js';

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
    const pull = methodOf(source, 'pull');
    this.#pull = pull ? () => pull(this) : () => {};
    this.#cancel = methodOf(source, 'cancel') ?? (() => {});
  }

  /** @internal */
  _start(source) {
    Promise.resolve(methodOf(source, 'start')?.(this)).then(
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

  /** @internal Whether it may still be closed, or something enqueued. */
  get _canClose() {
    return !this.#isClosing && this.#stream._state === 'readable';
  }

  enqueue(chunk) {
    if (!this._canClose) throw new TypeError('The stream is closed: nothing can be enqueued.');
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
    if (!this._canClose) throw new TypeError('The stream is closed already.');
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
    this.#queued = Math.max(0, this.#queued - size);
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
    return this._canClose && this.#isStarted && (this.#stream._requests.length > 0 || this.desiredSize > 0);
  }

  #pullIfNeeded() {
    if (!this._isWanting) return;
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

export class ReadableStream {
  /** @internal */ _state = 'readable';
  /** @internal */ _error = undefined;
  /** @internal */ _reader = null;
  /** @internal Reads that wait for a chunk. */ _requests = [];
  /** @internal */ _isDisturbed = false;
  /** @internal */ _controller;
  /** @internal Called once nothing more can be read. */ _onEnd;

  constructor(source = {}, strategy = {}) {
    if (source === null || typeof source !== 'object') throw new TypeError('a source is an object');
    if (source.type !== undefined) {
      if (String(source.type) !== 'bytes') throw new TypeError(`'${source.type}' is not a type of stream`);
      throw notAvailable("new ReadableStream({ type: 'bytes' })", 'leave the type out');
    }
    hide(this, ['_state', '_error', '_reader', '_requests', '_isDisturbed', '_controller', '_onEnd']);
    this._controller = new ReadableStreamDefaultController(MAKING, this, source, strategyOf(strategy, 1));
    this._controller._start(source);
  }

  get locked() {
    return this._reader !== null;
  }

  getReader(options) {
    const mode = options?.mode;
    if (mode !== undefined) {
      if (String(mode) !== 'byob') throw new TypeError(`'${mode}' is not a mode of a reader.`);
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
    this._onEnd?.();
    for (const request of requests) request.close();
  }

  /** @internal */
  _fail(reason) {
    this._state = 'errored';
    this._error = reason;
    const requests = this._requests;
    this._requests = [];
    this._reader?._closed.reject(reason);
    this._onEnd?.();
    for (const request of requests) request.error(reason);
  }

  tee() {
    return this._tee((chunk) => chunk);
  }

  /** @internal Two branches; the second gets `copy` of each chunk. */
  _tee(copy) {
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
            controllers.forEach((controller, branch) => {
              if (!isCanceled[branch]) controller.enqueue(branch === 0 ? chunk : copy(chunk));
            });
            isReading = false;
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

  pipeTo(destination, options) {
    return attempt(pipe, this, destination, options);
  }

  pipeThrough(transform, options) {
    const { readable, writable } = transform;
    if (!(readable instanceof ReadableStream && writable instanceof WritableStream)) {
      throw new TypeError('pipeThrough takes a pair of streams: { readable, writable }');
    }
    pipe(this, writable, options).catch(() => {});
    return readable;
  }

  values({ preventCancel = false } = {}) {
    const reader = this.getReader();
    let isDone = false;
    let ongoing = null;
    /** Calls that are made before the last one has settled wait for it. */
    const inTurn = (step) => (ongoing = ongoing ? ongoing.then(step, step) : step());
    const next = async () => {
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
    };
    const end = async (value) => {
      if (!isDone) {
        isDone = true;
        const canceled = preventCancel ? undefined : reader.cancel(value);
        reader.releaseLock();
        await canceled;
      }
      return { done: true, value };
    };
    return {
      next: () => inTurn(next),
      return: (value) => inTurn(() => end(value)),
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
    if (!(stream instanceof ReadableStream)) throw new TypeError('a reader needs a ReadableStream');
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
