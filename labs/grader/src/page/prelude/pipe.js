// Piping one stream into another (Streams § 4.9.1, ReadableStreamPipeTo).

import { AbortSignal } from './abort.js';
import { attempt } from './stream-parts.js';
import { WritableStream } from './writable-stream.js';

/** Pipes `source` into `destination`; throws where that cannot even begin. */
export const pipe = (source, destination, options) => {
  const { preventClose, preventAbort, preventCancel, signal } = options ?? {};
  if (!(destination instanceof WritableStream)) throw new TypeError('pipeTo takes a WritableStream');
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError("member signal is not of type 'AbortSignal'.");
  }
  if (source.locked || destination.locked) throw new TypeError('Cannot pipe a locked stream');
  const reader = source.getReader();
  const writer = destination.getWriter();
  const { promise, resolve, reject } = Promise.withResolvers();
  source._isDisturbed = true;
  let isShuttingDown = false;
  let lastWrite = Promise.resolve();
  let forget;

  const writesDone = async () => {
    for (let seen; seen !== lastWrite; ) await (seen = lastWrite);
  };
  /** Ends it: what was read is written, then `action` runs, then both locks go. */
  const shutDown = (action, isError, error) => {
    if (isShuttingDown) return;
    isShuttingDown = true;
    const finish = (isError, error) => {
      forget?.();
      writer.releaseLock();
      reader.releaseLock();
      if (isError) reject(error);
      else resolve();
    };
    const end = () => {
      if (!action) finish(isError, error);
      else attempt(action).then(() => finish(isError, error), (other) => finish(true, other));
    };
    if (destination._isWritable) writesDone().then(end);
    else end();
  };

  const onAbort = () => {
    const error = signal.reason;
    const actions = [];
    if (!preventAbort) actions.push(() => (destination._state === 'writable' ? destination._abort(error) : null));
    if (!preventCancel) actions.push(() => (source._state === 'readable' ? source._cancel(error) : null));
    shutDown(() => Promise.all(actions.map((action) => attempt(action))), true, error);
  };
  if (signal?.aborted) {
    onAbort();
    return promise;
  }
  forget = signal?._onAbort(onAbort);

  const onSourceError = (error) => shutDown(preventAbort ? null : () => destination._abort(error), true, error);
  const onTargetError = (error) => shutDown(preventCancel ? null : () => source._cancel(error), true, error);
  const onSourceEnd = () => shutDown(preventClose ? null : () => destination._closeUnlessClosing(), false);
  // What has happened already comes at once, and in this order.
  if (source._state === 'errored') onSourceError(source._error);
  else reader._closed.promise.catch(onSourceError);
  if (destination._state === 'errored') onTargetError(destination._error);
  else writer.closed.catch(onTargetError);
  if (source._state === 'closed') onSourceEnd();
  else reader._closed.promise.then(onSourceEnd, () => {});
  if (destination._isClosing || destination._state === 'closed') {
    onTargetError(new TypeError('The destination is closing or closed.'));
  }

  const step = () => {
    if (isShuttingDown) return;
    writer.ready.then(() => {
      if (isShuttingDown) return;
      reader._read({
        chunk: (chunk) => {
          lastWrite = writer.write(chunk).catch(() => {});
          queueMicrotask(step);
        },
        close: () => {},
        error: () => {},
      });
    }, () => {});
  };
  step();
  return promise;
};
