// TransformStream (Streams § 6), but for a transformer's `cancel`, which not every browser calls.

import { ReadableStream } from './readable-stream.js';
import { MAKING, deferred, methodOf } from './stream-parts.js';
import { WritableStream } from './writable-stream.js';

export class TransformStreamDefaultController {
  #source;
  #fail;
  #onEnqueue;

  constructor(making, source, fail, onEnqueue) {
    if (making !== MAKING) throw new TypeError('Illegal constructor');
    this.#source = source;
    this.#fail = fail;
    this.#onEnqueue = onEnqueue;
  }

  get desiredSize() {
    return this.#source.desiredSize;
  }
  enqueue(chunk) {
    if (!this.#source._canClose) throw new TypeError('The readable side is closed: nothing can be enqueued.');
    try {
      this.#source.enqueue(chunk);
    } catch (error) {
      this.#fail(error);
      throw error;
    }
    this.#onEnqueue();
  }
  error(reason) {
    this.#source.error(reason);
    this.#fail(reason);
  }
  terminate() {
    if (this.#source._canClose) this.#source.close();
    this.#fail(new TypeError('The transform stream was terminated.'));
  }
}

export class TransformStream {
  #readable;
  #writable;

  constructor(transformer = {}, writableStrategy = {}, readableStrategy = {}) {
    if (transformer === null || typeof transformer !== 'object') throw new TypeError('a transformer is an object');
    if (transformer.readableType !== undefined || transformer.writableType !== undefined) {
      throw new RangeError('a transformer has no types');
    }
    const method = (name) => methodOf(transformer, name);
    const [transform, flush] = [method('transform'), method('flush')];
    const started = deferred();
    let source;
    let sink;
    // Nothing is transformed before somebody wants it.
    let isFull = true;
    let changed = deferred();
    const setFull = (full) => {
      isFull = full;
      changed.resolve();
      changed = deferred();
    };
    /** The writable side fails, and a write that waits for room goes on. */
    const fail = (reason) => {
      sink.error(reason);
      if (isFull) setFull(false);
    };
    const controllerOf = (controller) => {
      sink = controller;
      return started.promise;
    };
    const passOn = async (chunk) => {
      try {
        if (transform) await transform(chunk, controller);
        else controller.enqueue(chunk);
      } catch (error) {
        controller.error(error);
        throw error;
      }
    };
    const writable = new WritableStream(
      {
        start: controllerOf,
        async write(chunk) {
          if (isFull) {
            await changed.promise;
            if (writable._state === 'erroring') throw writable._error;
          }
          return passOn(chunk);
        },
        async close() {
          try {
            await flush?.(controller);
          } catch (error) {
            controller.error(error);
            throw error;
          }
          if (readable._state === 'errored') throw readable._error;
          if (source._canClose) source.close();
        },
        abort: (reason) => controller.error(reason),
      },
      writableStrategy,
    );
    const readable = new ReadableStream(
      {
        start(controller) {
          source = controller;
          return started.promise;
        },
        pull() {
          setFull(false);
          // The next pull is due when this one has been answered.
          return changed.promise;
        },
        cancel: (reason) => fail(reason),
      },
      { size: readableStrategy?.size, highWaterMark: readableStrategy?.highWaterMark ?? 0 },
    );
    this.#readable = readable;
    this.#writable = writable;
    const controller = new TransformStreamDefaultController(MAKING, source, fail, () => {
      if (!isFull && !source._isWanting) setFull(true);
    });
    started.resolve(method('start')?.(controller));
  }

  get readable() {
    return this.#readable;
  }
  get writable() {
    return this.#writable;
  }
}
