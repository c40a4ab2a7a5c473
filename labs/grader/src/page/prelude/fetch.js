// fetch, Request and Response (Fetch).

import { AbortController, AbortSignal } from './abort.js';
import { notAvailable } from './absent.js';
import { Body, EMPTY_STATUSES, extract } from './body.js';
import { Headers } from './headers.js';
import { BASE_URL, ORIGIN, host, keepPlace, nextId, text } from './host.js';
import { isRefused, otherServer, short } from './origin.js';
import { ReadableStream } from './streams.js';
import { URL } from './url.js';

const METHODS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'];
const FORBIDDEN_METHODS = ['CONNECT', 'TRACE', 'TRACK'];

const methodOf = (method) => {
  method = String(method);
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) {
    throw new TypeError(`'${method}' is not a valid HTTP method.`);
  }
  const upper = method.toUpperCase();
  if (FORBIDDEN_METHODS.includes(upper)) throw new TypeError(`'${method}' is an unsupported method.`);
  return METHODS.includes(upper) ? upper : method;
};

const oneOf = (name, value, allowed) => {
  if (!allowed.includes(value)) {
    throw new TypeError(`'${value}' is not a valid value for ${name}: it is one of ${allowed.join(', ')}.`);
  }
  return value;
};

const OPTIONS = {
  cache: ['default', 'no-store', 'reload', 'no-cache', 'force-cache', 'only-if-cached'],
  credentials: ['same-origin', 'omit', 'include'],
  mode: ['cors', 'same-origin', 'no-cors', 'navigate'],
  redirect: ['follow', 'error', 'manual'],
};

const CLONING = Symbol('cloning');

export class Request extends Body {
  #url;
  #method;
  #headers;
  #signal;
  #options = {};
  #keepalive;

  constructor(input, init = {}) {
    super();
    init ??= {};
    const from = input instanceof Request ? input : null;
    const url = from ? new URL(from.url) : URL.parse(text(input), BASE_URL);
    if (!url) throw new TypeError(`Failed to parse URL from ${text(input)}`);
    if (url.username || url.password) {
      throw new TypeError(`Request cannot be constructed from a URL with credentials: ${url.href}`);
    }
    this.#url = url;
    this.#method = init.method === undefined ? (from?.method ?? 'GET') : methodOf(init.method);
    for (const [name, allowed] of Object.entries(OPTIONS)) {
      this.#options[name] =
        init[name] === undefined ? (from?.[name] ?? allowed[0]) : oneOf(name, String(init[name]), allowed);
    }
    if (init.mode === 'navigate') throw new TypeError("A request's mode cannot be 'navigate'.");
    if (init.mode === 'no-cors') {
      throw notAvailable("mode: 'no-cors'", 'leave it out; page and server are of one origin, and it would drop headers');
    }
    this.#keepalive = Boolean(init.keepalive ?? from?.keepalive);
    this.#headers = Headers._guarded(init.headers ?? from?.headers, 'request');
    const signal = init.signal === undefined ? from?.signal : init.signal;
    if (signal !== undefined && signal !== null && !(signal instanceof AbortSignal)) {
      throw new TypeError("member signal is not of type 'AbortSignal'.");
    }
    this.#signal = signal ? AbortSignal.any([signal]) : new AbortController().signal;
    const hasBody = init.body !== undefined && init.body !== null;
    if ((hasBody || from?._hasBody) && ['GET', 'HEAD'].includes(this.#method)) {
      throw new TypeError('Request with GET/HEAD method cannot have body.');
    }
    if (hasBody) {
      const extracted = extract(init.body);
      if (extracted.stream && init.duplex !== 'half') {
        throw new TypeError("a stream as a body needs the option duplex: 'half'");
      }
      if (extracted.type && !this.#headers.has('content-type')) {
        this.#headers.set('content-type', extracted.type);
      }
      this._setBody(extracted);
    } else if (from) {
      // A request is sent once: its body goes over to the new one. (Fetch § 5.4)
      this._setBody(init[CLONING] ? from._tee() : from._take());
    }
  }

  get url() {
    return this.#url.href;
  }
  get method() {
    return this.#method;
  }
  get headers() {
    return this.#headers;
  }
  get signal() {
    return this.#signal;
  }
  get cache() {
    return this.#options.cache;
  }
  get credentials() {
    return this.#options.credentials;
  }
  get mode() {
    return this.#options.mode;
  }
  get redirect() {
    return this.#options.redirect;
  }
  get keepalive() {
    return this.#keepalive;
  }
  get destination() {
    return '';
  }
  get referrer() {
    return 'about:client';
  }

  clone() {
    this._assertUnused();
    return new Request(this, { [CLONING]: true });
  }
}

const REDIRECTS = [301, 302, 303, 307, 308];

let makeResponse;
let makeOpaqueRedirect;

export class Response extends Body {
  #status = 200;
  #statusText = '';
  #headers;
  #type = 'default';
  #url = '';
  #isRedirected = false;

  constructor(body = null, init = {}) {
    super();
    init ??= {};
    const status = init.status === undefined ? 200 : Number(init.status);
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      throw new RangeError(`The status provided (${init.status}) is outside the range [200, 599].`);
    }
    this.#status = status;
    this.#statusText = init.statusText === undefined ? '' : String(init.statusText);
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(this.#statusText)) throw new TypeError('Invalid statusText');
    this.#headers = Headers._guarded(init.headers, 'response');
    if (body === null || body === undefined) return;
    if (EMPTY_STATUSES.includes(status)) {
      throw new TypeError('Response with null body status cannot have body');
    }
    const extracted = extract(body);
    if (extracted.type && !this.#headers.has('content-type')) {
      this.#headers.set('content-type', extracted.type);
    }
    this._setBody(extracted);
  }

  static json(data, init = {}) {
    const serialized = JSON.stringify(data);
    if (serialized === undefined) throw new TypeError('The data is not JSON serializable');
    const headers = new Headers(init?.headers);
    if (!headers.has('content-type')) headers.set('content-type', 'application/json');
    return new Response(serialized, { ...init, headers });
  }

  static error() {
    const response = new Response();
    response.#type = 'error';
    response.#headers = Headers._guarded(undefined, 'immutable');
    response.#status = 0;
    return response;
  }

  static redirect(url, status = 302) {
    const target = URL.parse(text(url), BASE_URL);
    if (!target) throw new TypeError(`Failed to parse URL from ${text(url)}`);
    if (!REDIRECTS.includes(status)) throw new RangeError('Invalid status code');
    return new Response(null, { status, headers: { location: target.href } });
  }

  static {
    makeResponse = (head, stream) => {
      const response = new Response();
      response.#status = head.status;
      response.#statusText = head.statusText;
      response.#headers = Headers._guarded(head.headers, 'immutable');
      response.#type = 'basic';
      response.#url = head.url.replace(/#.*/s, '');
      response.#isRedirected = head.redirected;
      response._setBody({ bytes: null, stream });
      return response;
    };
    makeOpaqueRedirect = (url) => {
      const response = new Response();
      response.#status = 0;
      response.#type = 'opaqueredirect';
      response.#url = url;
      return response;
    };
  }

  get status() {
    return this.#status;
  }
  get ok() {
    return this.#status >= 200 && this.#status <= 299;
  }
  get statusText() {
    return this.#statusText;
  }
  get headers() {
    return this.#headers;
  }
  get type() {
    return this.#type;
  }
  get url() {
    return this.#url;
  }
  get redirected() {
    return this.#isRedirected;
  }

  clone() {
    const other = makeResponse(
      {
        status: this.#status,
        statusText: this.#statusText,
        headers: this.#headers,
        url: this.#url,
        redirected: this.#isRedirected,
      },
      null,
    );
    other.#type = this.#type;
    other._setBody(this._tee());
    return other;
  }
}

/** Requests under way, by number: what to do with what comes. */
const pending = new Map();

/** How many bytes of a body are read ahead of the client. */
const READ_AHEAD = 64 * 1024;

/** The headers a request carries on the wire, as a browser adds them. */
const wireHeaders = (headers, method) => {
  const pairs = [...headers];
  if (!headers.has('accept')) pairs.push(['accept', '*/*']);
  if (!['GET', 'HEAD'].includes(method)) pairs.push(['origin', ORIGIN]);
  return pairs;
};

export const fetch = (input, init) =>
  new Promise((resolve, reject) => {
    const request = new Request(input, init);
    const { signal } = request;
    // Made here, so that it names the place that asked.
    const failure = new TypeError('Failed to fetch');
    const fail = (reason) => {
      keepPlace(reason, failure);
      reject(reason);
    };
    if (signal.aborted) {
      host.aborted();
      fail(signal.reason);
      return;
    }
    const call = `fetch('${short(request.url)}')`;
    if (isRefused(new URL(request.url), call)) {
      reject(failure);
      return;
    }
    if (request._isStreaming) {
      host.absent('fetch(url, { body: stream })', 'browsers send one over HTTP/2 only, if at all; send a string or bytes');
      reject(failure);
      return;
    }
    const id = nextId();
    const isManual = request.redirect === 'manual';
    const { method } = request;
    const exchange = { resolve, reject, failure, isManual, method, call, stream: null, controller: null };
    pending.set(id, exchange);
    exchange.forget = signal._onAbort(() => {
      pending.delete(id);
      host.abort(id);
      fail(signal.reason);
      exchange.controller?.error(signal.reason);
    });
    const send = (body) => {
      if (!pending.has(id)) return;
      const { cache } = request;
      const headers = wireHeaders(request.headers, request.method);
      // What a forced reload tells the caches on the way (Fetch § 4.5).
      if (cache === 'no-store' || cache === 'reload') {
        if (!request.headers.has('pragma')) headers.push(['pragma', 'no-cache']);
        if (!request.headers.has('cache-control')) headers.push(['cache-control', 'no-cache']);
      } else if (cache === 'no-cache' && !request.headers.has('cache-control')) {
        headers.push(['cache-control', 'max-age=0']);
      }
      host.request(id, {
        method: request.method,
        url: request.url,
        headers,
        body,
        redirect: request.redirect,
        eventsAfter: null,
      });
    };
    if (!request._hasBody) {
      send(null);
    } else {
      request.bytes().then(send, (error) => {
        pending.delete(id);
        reject(error);
      });
    }
  });

/** Forgets an exchange that is over. An abort still reaches a body that is not read to its end. */
const finish = (id) => {
  const exchange = pending.get(id);
  pending.delete(id);
  if (exchange?.stream?._state === 'readable') exchange.stream._onEnd = exchange.forget;
  else exchange?.forget();
  return exchange;
};

export const onHead = (id, head) => {
  const exchange = pending.get(id);
  if (!exchange) return;
  if (exchange.isManual && REDIRECTS.includes(head.status)) {
    finish(id);
    host.abort(id);
    exchange.resolve(makeOpaqueRedirect(head.url));
    return;
  }
  const hasBody = exchange.method !== 'HEAD' && !EMPTY_STATUSES.includes(head.status);
  const stream = hasBody
    ? new ReadableStream(
        {
          start(controller) {
            exchange.controller = controller;
          },
          pull() {
            host.more(id);
          },
          cancel() {
            finish(id);
            host.abort(id);
          },
        },
        { highWaterMark: READ_AHEAD, size: (chunk) => chunk.byteLength },
      )
    : null;
  exchange.stream = stream;
  exchange.resolve(makeResponse(head, stream));
};

export const onChunk = (id, buffer) => {
  const exchange = pending.get(id);
  if (!exchange?.controller) {
    // Nobody reads it, but it must come to its end.
    host.more(id);
    return;
  }
  exchange.controller.enqueue(new Uint8Array(buffer));
};

export const onEnd = (id) => finish(id)?.controller?.close();

export const onFailed = (id, elsewhere) => {
  const exchange = finish(id);
  if (!exchange) return;
  if (elsewhere) otherServer(`${exchange.call}, redirected to ${short(elsewhere)}`);
  if (exchange.controller) {
    const broken = new TypeError('network error');
    broken.stack = exchange.failure.stack;
    exchange.controller.error(broken);
  } else {
    exchange.reject(exchange.failure);
  }
};
