// The prelude's front door: names the globals, and takes what happens outside.

import { AbortController, AbortSignal } from './abort.js';
import { defineAbsent } from './absent.js';
import { defineAbsentMembers } from './absent-members.js';
import { crypto, performance } from './clock.js';
import { structuredClone } from './clone.js';
import { console } from './console.js';
import * as dom from './dom.js';
import { Element } from './element.js';
import * as encoding from './encoding.js';
import { EventSource, onStream } from './event-source.js';
import * as events from './events.js';
import { Request, Response, fetch, onChunk, onEnd, onFailed, onHead } from './fetch.js';
import { Headers } from './headers.js';
import { host, placeOf, report, setErrorListener, text, withoutOwnFrames } from './host.js';
import { DocumentFragment, Node, Text } from './node.js';
import * as streams from './streams.js';
import * as timers from './timers.js';
import { URL, URLSearchParams } from './url.js';
import { WebSocket, onSocket, onSocketTimer } from './web-socket.js';

const { document, location, navigator } = dom;

const globals = {
  AbortController,
  AbortSignal,
  ByteLengthQueuingStrategy: streams.ByteLengthQueuingStrategy,
  CloseEvent: events.CloseEvent,
  CountQueuingStrategy: streams.CountQueuingStrategy,
  CustomEvent: events.CustomEvent,
  Document: dom.Document,
  DocumentFragment,
  Element,
  ErrorEvent: events.ErrorEvent,
  Event: events.Event,
  EventSource,
  EventTarget: events.EventTarget,
  HTMLElement: Element,
  Headers,
  MessageEvent: events.MessageEvent,
  Node,
  PageTransitionEvent: events.PageTransitionEvent,
  ProgressEvent: events.ProgressEvent,
  PromiseRejectionEvent: events.PromiseRejectionEvent,
  ReadableStream: streams.ReadableStream,
  ReadableStreamDefaultController: streams.ReadableStreamDefaultController,
  ReadableStreamDefaultReader: streams.ReadableStreamDefaultReader,
  Request,
  Response,
  Text,
  TextDecoder: encoding.TextDecoder,
  TextDecoderStream: encoding.TextDecoderStream,
  TextEncoder: encoding.TextEncoder,
  TextEncoderStream: encoding.TextEncoderStream,
  TransformStream: streams.TransformStream,
  TransformStreamDefaultController: streams.TransformStreamDefaultController,
  URL,
  URLSearchParams,
  WebSocket,
  WritableStream: streams.WritableStream,
  WritableStreamDefaultController: streams.WritableStreamDefaultController,
  WritableStreamDefaultWriter: streams.WritableStreamDefaultWriter,
  cancelAnimationFrame: timers.cancelAnimationFrame,
  clearInterval: timers.clearInterval,
  clearTimeout: timers.clearTimeout,
  console,
  crypto,
  document,
  fetch,
  isSecureContext: true,
  location,
  navigator,
  origin: location.origin,
  performance,
  queueMicrotask: (callback) => {
    if (typeof callback !== 'function') throw new TypeError('queueMicrotask takes a function');
    Promise.resolve().then(() => {
      try {
        callback();
      } catch (error) {
        report(error);
      }
    });
  },
  reportError: (error) => report(error),
  scroll: () => {},
  scrollBy: () => {},
  scrollTo: () => {},
  requestAnimationFrame: timers.requestAnimationFrame,
  self: globalThis,
  setInterval: timers.setInterval,
  setTimeout: timers.setTimeout,
  structuredClone,
  window: globalThis,
};

for (const [name, value] of Object.entries(globals)) {
  Object.defineProperty(globalThis, name, {
    configurable: true,
    enumerable: false,
    writable: true,
    value,
  });
}
dom.defineWindow();
defineAbsent();
defineAbsentMembers({
  crypto,
  dom: { Document: dom.Document, Element, Node },
  events,
  fetch: { Request },
  navigator,
  performance,
  streams,
  url: { URL },
});

setErrorListener((error) => {
  const message = error instanceof Error ? `Uncaught ${error.name}: ${error.message}` : `Uncaught ${error}`;
  const event = new events.ErrorEvent('error', { cancelable: true, message, error });
  return !events.fire(globalThis, event);
});

/** Everything that reaches the page from outside: one call, one task. */
const handlers = {
  timer: (id) => onSocketTimer(id) || timers.onTimer(id),
  head: (id, head) => onStream('head', id, head) || onHead(id, head),
  chunk: (id, buffer) => onChunk(id, buffer),
  event: (...values) => onStream('event', ...values),
  eventId: (...values) => onStream('eventId', ...values),
  retry: (...values) => onStream('retry', ...values),
  end: (id) => onStream('end', id) || onEnd(id),
  failed: (id, elsewhere) => onStream('failed', id) || onFailed(id, elsewhere),
  socketOpen: (...values) => onSocket('socketOpen', ...values),
  socketMessage: (...values) => onSocket('socketMessage', ...values),
  socketSent: (...values) => onSocket('socketSent', ...values),
  socketClosing: (...values) => onSocket('socketClosing', ...values),
  socketClosed: (...values) => onSocket('socketClosed', ...values),
  visibility: dom.onVisibility,
  transition: dom.onTransition,
  online: dom.onOnline,
  rejectionHandled: (promise, reason) => {
    events.fire(globalThis, new events.PromiseRejectionEvent('rejectionhandled', { promise, reason }));
  },
  rejection: (promise, reason) => {
    const init = { cancelable: true, promise, reason };
    const event = new events.PromiseRejectionEvent('unhandledrejection', init);
    return events.fire(globalThis, event) ? placeOf(reason) : null;
  },
};

export const dispatch = (kind, ...values) => handlers[kind](...values);

/** Writes on the tape; true if the bench wants the signal aborted within this very call. */
const write = (label, value) => {
  label = text(label);
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
    return host.say(label, 'bytes', String(value.byteLength));
  }
  if (typeof value === 'object' && value !== null) {
    return host.say(label, 'json', text(JSON.stringify(value)));
  }
  return host.say(label, 'text', withoutOwnFrames(text(value)));
};

/** What the bench's own code is given as `say`: a word to the page's user, for the tape. */
export const say = (label, value) => {
  if (write(label, value)) globalThis.stop.abort();
};
