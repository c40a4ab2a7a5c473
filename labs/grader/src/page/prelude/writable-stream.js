// WritableStream (Streams § 5; names as there, but for those that say what a thing is here).

import { AbortController } from './abort.js';
import { MAKING, attempt, deferred, hide, methodOf, rejecting, strategyOf } from './stream-parts.js';

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
    this.#stream._errorIfNeeded(reason);
  }

  /** @internal */
  _signalAbort(reason) {
    this.#abort.abort(reason);
  }
}

/** In a queue, the place of the end. */
const CLOSE = Symbol('close');

export class WritableStream {
  /** @internal 'writable', 'erroring', 'errored' or 'closed'. */ _state = 'writable';
  /** @internal */ _error = undefined;
  /** @internal */ _writer = null;
  /** @internal */ _hasBackpressure = false;
  #controller = new WritableStreamDefaultController(MAKING, this);
  #sink;
  #queue = [];
  #queued = 0;
  #highWaterMark;
  #size;
  #isStarted = false;
  /** Writes that have not begun. */
  #requests = [];
  #writing = null;
  #closeRequest = null;
  #closing = null;
  #pendingAbort = null;

  constructor(sink = {}, strategy = {}) {
    if (sink === null || typeof sink !== 'object') throw new TypeError('a sink is an object');
    if (sink.type !== undefined) throw new RangeError('a sink has no type');
    hide(this, ['_state', '_error', '_writer', '_hasBackpressure']);
    [this.#highWaterMark, this.#size] = strategyOf(strategy, 1);
    this.#sink = Object.fromEntries(['abort', 'close', 'write'].map((name) => [name, methodOf(sink, name)]));
    this.#updateBackpressure();
    Promise.resolve(methodOf(sink, 'start')?.(this.#controller)).then(
      () => {
        this.#isStarted = true;
        this.#advance();
      },
      (error) => {
        this.#isStarted = true;
        this.#onRejection(error);
      },
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
    if (this._state === 'errored' || this._state === 'erroring') return null;
    if (this._state === 'closed') return 0;
    return this.#highWaterMark - this.#queued;
  }

  /** @internal */
  get _isClosing() {
    return Boolean(this.#closeRequest || this.#closing);
  }

  /** @internal */
  get _isWritable() {
    return this._state === 'writable' && !this._isClosing;
  }

  /** @internal */
  _write(chunk, writer) {
    let size = 1;
    try {
      size = this.#size(chunk);
    } catch (error) {
      this._errorIfNeeded(error);
    }
    // The size was the client's own code: anything may have happened.
    if (this._writer !== writer) return released();
    if (this._state === 'errored') return Promise.reject(this._error);
    if (this._isClosing || this._state === 'closed') return closed();
    if (this._state === 'erroring') return Promise.reject(this._error);
    const request = Promise.withResolvers();
    this.#requests.push(request);
    this.#queue.push({ chunk, size });
    this.#queued += size;
    this.#updateBackpressure();
    this.#advance();
    return request.promise;
  }

  /** @internal */
  _close() {
    if (this._isClosing || this._state === 'closed' || this._state === 'errored') return closed();
    this.#closeRequest = Promise.withResolvers();
    const { promise } = this.#closeRequest;
    if (this._hasBackpressure && this._state === 'writable') this._writer?._ready.resolve();
    this.#queue.push({ chunk: CLOSE, size: 0 });
    this.#advance();
    return promise;
  }

  /** @internal What a pipe does at its source's end. */
  _closeUnlessClosing() {
    if (this._isClosing || this._state === 'closed') return Promise.resolve();
    return this._state === 'errored' ? Promise.reject(this._error) : this._close();
  }

  /** @internal */
  _abort(reason) {
    if (this._state === 'closed' || this._state === 'errored') return Promise.resolve();
    this.#controller._signalAbort(reason);
    if (this._state === 'closed' || this._state === 'errored') return Promise.resolve();
    if (this.#pendingAbort) return this.#pendingAbort.promise;
    const wasErroring = this._state === 'erroring';
    this.#pendingAbort = { ...Promise.withResolvers(), reason: wasErroring ? undefined : reason, wasErroring };
    const { promise } = this.#pendingAbort;
    if (!wasErroring) this.#startErroring(reason);
    return promise;
  }

  /** @internal */
  _errorIfNeeded(reason) {
    if (this._state === 'writable') this.#startErroring(reason);
  }

  #startErroring(reason) {
    this._state = 'erroring';
    this._error = reason;
    const writer = this._writer;
    if (writer) writer._ready = rejecting(writer._ready, reason);
    if (!this.#writing && !this.#closing && this.#isStarted) this.#finishErroring();
  }

  #finishErroring() {
    this._state = 'errored';
    this.#queue = [];
    this.#queued = 0;
    const requests = this.#requests;
    this.#requests = [];
    for (const request of requests) request.reject(this._error);
    const abort = this.#pendingAbort;
    this.#pendingAbort = null;
    if (!abort) {
      this.#rejectClose();
    } else if (abort.wasErroring) {
      abort.reject(this._error);
      this.#rejectClose();
    } else {
      attempt(() => this.#sink.abort?.(abort.reason)).then(
        () => {
          abort.resolve();
          this.#rejectClose();
        },
        (error) => {
          abort.reject(error);
          this.#rejectClose();
        },
      );
    }
  }

  #rejectClose() {
    this.#closeRequest?.reject(this._error);
    this.#closeRequest = null;
    this._writer?._closed.reject(this._error);
  }

  #onRejection(error) {
    if (this._state === 'writable') this.#startErroring(error);
    else this.#finishErroring();
  }

  #updateBackpressure() {
    if (!this._isWritable) return;
    const has = this._desiredSize <= 0;
    const writer = this._writer;
    if (writer && has !== this._hasBackpressure) {
      if (has) writer._ready = deferred();
      else writer._ready.resolve();
    }
    this._hasBackpressure = has;
  }

  #advance() {
    if (!this.#isStarted || this.#writing || this.#closing) return;
    if (this._state === 'erroring') {
      this.#finishErroring();
      return;
    }
    if (this.#queue.length === 0) return;
    if (this.#queue[0].chunk === CLOSE) this.#sendClose();
    else this.#sendWrite();
  }

  #sendWrite() {
    const request = this.#requests.shift();
    this.#writing = request;
    attempt(() => this.#sink.write?.(this.#queue[0].chunk, this.#controller)).then(
      () => {
        this.#writing = null;
        request.resolve();
        this.#queued = Math.max(0, this.#queued - this.#queue.shift().size);
        this.#updateBackpressure();
        this.#advance();
      },
      (error) => {
        this.#writing = null;
        request.reject(error);
        this.#onRejection(error);
      },
    );
  }

  #sendClose() {
    const request = this.#closeRequest;
    this.#closing = request;
    this.#closeRequest = null;
    this.#queue.shift();
    attempt(() => this.#sink.close?.()).then(
      () => {
        this.#closing = null;
        request.resolve();
        // An abort that came meanwhile came too late.
        this.#pendingAbort?.resolve();
        this.#pendingAbort = null;
        this._error = undefined;
        this._state = 'closed';
        this._writer?._closed.resolve();
      },
      (error) => {
        this.#closing = null;
        request.reject(error);
        this.#pendingAbort?.reject(error);
        this.#pendingAbort = null;
        this.#onRejection(error);
      },
    );
  }
}

const released = () => Promise.reject(new TypeError('This writer has released its lock.'));
const closed = () => Promise.reject(new TypeError('The stream is closing or closed.'));

export class WritableStreamDefaultWriter {
  #stream;
  /** @internal */ _ready = deferred();
  /** @internal */ _closed = deferred();

  constructor(stream) {
    if (!(stream instanceof WritableStream)) throw new TypeError('a writer needs a WritableStream');
    if (stream.locked) throw new TypeError('The stream is locked by another writer.');
    hide(this, ['_ready', '_closed']);
    this.#stream = stream;
    stream._writer = this;
    const { _state: state, _error: error } = stream;
    if (state === 'errored' || state === 'erroring') this._ready.reject(error);
    else if (!stream._isWritable || !stream._hasBackpressure) this._ready.resolve();
    if (state === 'closed') this._closed.resolve();
    if (state === 'errored') this._closed.reject(error);
  }

  get closed() {
    return this._closed.promise;
  }
  get ready() {
    return this._ready.promise;
  }
  get desiredSize() {
    if (!this.#stream) throw new TypeError('This writer has released its lock.');
    return this.#stream._desiredSize;
  }

  write(chunk) {
    return this.#stream?._write(chunk, this) ?? released();
  }
  close() {
    return this.#stream?._close() ?? released();
  }
  abort(reason) {
    return this.#stream?._abort(reason) ?? released();
  }

  releaseLock() {
    if (!this.#stream) return;
    const reason = new TypeError('This writer has released its lock.');
    this._ready = rejecting(this._ready, reason);
    this._closed = rejecting(this._closed, reason);
    this.#stream._writer = null;
    this.#stream = undefined;
  }
}
