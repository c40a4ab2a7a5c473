// EventSource (HTML § 9.2). The bench parses the stream, this keeps the connection.

import { Event, EventTarget, MessageEvent, defineHandlers, fire } from './events.js';
import { BASE_URL, host, nextId, text } from './host.js';
import { isRefused, short } from './origin.js';
import { clearTimeout, setTimeout } from './timers.js';
import { URL } from './url.js';

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 2;

/** How long a browser waits before it connects again, unless the stream says otherwise. */
const RECONNECTION_TIME = 3000;

/** Event sources by the number of their request. */
const sources = new Map();

const handlers = {};

export class EventSource extends EventTarget {
  #url;
  #withCredentials;
  #readyState = CONNECTING;
  #reconnectionTime = RECONNECTION_TIME;
  #lastEventId = '';
  #origin = '';
  #request = null;
  #timer = null;

  constructor(url, { withCredentials = false } = {}) {
    super();
    const parsed = URL.parse(text(url), BASE_URL);
    if (!parsed) {
      throw new DOMException(`Cannot open an EventSource to '${text(url)}'.`, 'SyntaxError');
    }
    this.#url = parsed;
    this.#withCredentials = Boolean(withCredentials);
    this.#connect();
  }

  get url() {
    return this.#url.href;
  }
  get withCredentials() {
    return this.#withCredentials;
  }
  get readyState() {
    return this.#readyState;
  }

  close() {
    this.#readyState = CLOSED;
    this.#hangUp();
    clearTimeout(this.#timer);
  }

  #connect() {
    if (isRefused(this.#url, `new EventSource('${short(this.#url.href)}')`)) {
      // In a task of its own, as everything that comes of the network.
      this.#timer = setTimeout(() => this.#fail(), 0);
      return;
    }
    const headers = [
      ['accept', 'text/event-stream'],
      ['cache-control', 'no-cache'],
    ];
    if (this.#lastEventId !== '') {
      // A header is made of bytes: the ID goes out as UTF-8.
      const bytes = new Uint8Array(host.encode(this.#lastEventId));
      headers.push(['last-event-id', String.fromCharCode(...bytes)]);
    }
    this.#request = nextId();
    sources.set(this.#request, this);
    host.request(this.#request, {
      method: 'GET',
      url: this.#url.href,
      headers,
      body: null,
      redirect: 'follow',
      eventsAfter: this.#lastEventId,
    });
  }

  #hangUp() {
    if (this.#request === null) return;
    sources.delete(this.#request);
    host.abort(this.#request);
    this.#request = null;
  }

  /** Over for good: the browser does not come back (§ 9.2.3, fail the connection). */
  #fail() {
    this.#hangUp();
    if (this.#readyState === CLOSED) return;
    this.#readyState = CLOSED;
    fire(this, new Event('error'));
  }

  /** Once more, after a while (§ 9.2.3, reestablish the connection). */
  #reestablish() {
    this.#hangUp();
    if (this.#readyState === CLOSED) return;
    this.#readyState = CONNECTING;
    this.#timer = setTimeout(() => {
      if (this.#readyState === CONNECTING) this.#connect();
    }, this.#reconnectionTime);
    fire(this, new Event('error'));
  }

  static {
    handlers.head = (source, { status, headers, url }) => {
      const type = headers.find(([name]) => name === 'content-type')?.[1] ?? '';
      const essence = type.split(';')[0].trim().toLowerCase();
      if (status !== 200 || essence !== 'text/event-stream') {
        source.#fail();
        return;
      }
      source.#readyState = OPEN;
      source.#origin = new URL(url).origin;
      fire(source, new Event('open'));
    };
    handlers.event = (source, type, data, lastEventId) => {
      source.#lastEventId = lastEventId;
      fire(source, new MessageEvent(type, { data, lastEventId, origin: source.#origin }));
    };
    handlers.eventId = (source, lastEventId) => {
      source.#lastEventId = lastEventId;
    };
    handlers.retry = (source, milliseconds) => {
      source.#reconnectionTime = milliseconds;
    };
    // The end of a stream is no end: a browser comes back.
    handlers.end = (source) => source.#reestablish();
    handlers.failed = (source) => source.#reestablish();
  }
}

const states = { CONNECTING, OPEN, CLOSED };
for (const [name, value] of Object.entries(states)) {
  Object.defineProperty(EventSource, name, { value, enumerable: true });
  Object.defineProperty(EventSource.prototype, name, { value, enumerable: true });
}
defineHandlers(EventSource.prototype, ['open', 'message', 'error']);

/** Something about the request of an event source; false if it is somebody else's. */
export const onStream = (kind, id, ...values) => {
  const source = sources.get(id);
  if (!source) return false;
  handlers[kind]?.(source, ...values);
  return true;
};
