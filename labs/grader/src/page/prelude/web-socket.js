// WebSocket (WebSockets Standard). The bench speaks the protocol.

import { notAvailable } from './absent.js';
import { bytesOf, encode } from './encoding.js';
import { CloseEvent, Event, EventTarget, MessageEvent, defineHandlers, fire } from './events.js';
import { BASE_URL, host, nextId, text } from './host.js';
import { isRefused, short } from './origin.js';
import { URL } from './url.js';

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/** How long a close reason may be, in bytes: a control frame carries 125. */
const LONGEST_REASON = 123;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Sockets by number. */
const sockets = new Map();

const handlers = {};

export class WebSocket extends EventTarget {
  #id = nextId();
  #url;
  #origin;
  #readyState = CONNECTING;
  #protocol = '';
  #protocols;
  #bufferedAmount = 0;
  #binaryType = 'blob';

  constructor(url, protocols = []) {
    if (arguments.length === 0) throw new TypeError('a WebSocket needs a URL');
    super();
    const parsed = URL.parse(text(url), BASE_URL);
    if (!parsed) throw new DOMException(`The URL '${text(url)}' is invalid.`, 'SyntaxError');
    if (parsed.protocol === 'http:') parsed.protocol = 'ws:';
    if (parsed.protocol === 'https:') parsed.protocol = 'wss:';
    if (!['ws:', 'wss:'].includes(parsed.protocol)) {
      const scheme = parsed.protocol.slice(0, -1);
      throw new DOMException(`The scheme is 'ws', 'wss', 'http' or 'https', not '${scheme}'.`, 'SyntaxError');
    }
    if (parsed.hash !== '' || parsed.href.endsWith('#')) {
      throw new DOMException(`The URL contains a fragment ('${parsed.hash}').`, 'SyntaxError');
    }
    this.#protocols = typeof protocols === 'string' ? [protocols] : [...protocols].map(String);
    const isUnique = new Set(this.#protocols.map((name) => name.toLowerCase())).size;
    if (isUnique !== this.#protocols.length || !this.#protocols.every((name) => TOKEN.test(name))) {
      throw new DOMException('The subprotocols are invalid or not distinct.', 'SyntaxError');
    }
    this.#url = parsed.href;
    this.#origin = parsed.origin;
    sockets.set(this.#id, this);
    if (isRefused(parsed, `new WebSocket('${short(parsed.href)}')`)) host.arm(this.#id, 0);
    else host.socket(this.#id, this.#url, this.#protocols);
  }

  get url() {
    return this.#url;
  }
  get readyState() {
    return this.#readyState;
  }
  get bufferedAmount() {
    return this.#bufferedAmount;
  }
  get extensions() {
    return '';
  }
  get protocol() {
    return this.#protocol;
  }
  get binaryType() {
    return this.#binaryType;
  }
  set binaryType(value) {
    // An unknown value changes nothing, as for every enumeration in an attribute.
    if (value === 'blob' || value === 'arraybuffer') this.#binaryType = value;
  }

  send(data) {
    if (arguments.length === 0) throw new TypeError('send takes what is to be sent');
    if (this.#readyState === CONNECTING) {
      throw new DOMException('The socket is still CONNECTING: send once it is open.', 'InvalidStateError');
    }
    const isBinary = data instanceof ArrayBuffer || ArrayBuffer.isView(data);
    const bytes = isBinary ? bytesOf(data).slice() : null;
    this.#bufferedAmount += isBinary ? bytes.length : encode(data).length;
    // What is sent after the end goes nowhere; only the amount grows.
    if (this.#readyState !== OPEN) return;
    if (isBinary) {
      host.sendBytes(this.#id, bytes);
    } else {
      host.sendText(this.#id, text(data));
    }
  }

  close(code, reason) {
    if (code !== undefined) {
      code = toUnsignedShort(code);
      if (code !== 1000 && !(code >= 3000 && code <= 4999)) {
        throw new DOMException(
          `The close code is 1000 or between 3000 and 4999, not ${code}.`,
          'InvalidAccessError',
        );
      }
    }
    reason = reason === undefined ? '' : text(reason);
    if (encode(reason).length > LONGEST_REASON) {
      throw new DOMException('The close reason is longer than 123 bytes.', 'SyntaxError');
    }
    if (reason !== '' && code === undefined) code = 1000;
    if (this.#readyState === CLOSING || this.#readyState === CLOSED) return;
    const wasConnecting = this.#readyState === CONNECTING;
    this.#readyState = CLOSING;
    if (wasConnecting) {
      host.dropSocket(this.#id);
      // In a task of its own, as everything that comes of the network.
      host.arm(this.#id, 0);
    } else {
      host.closeSocket(this.#id, code, reason);
    }
  }

  static {
    handlers.socketOpen = (socket, protocol) => {
      if (socket.#readyState !== CONNECTING) return;
      socket.#readyState = OPEN;
      socket.#protocol = protocol;
      fire(socket, new Event('open'));
    };
    handlers.socketMessage = (socket, data) => {
      if (socket.#readyState !== OPEN) return;
      if (typeof data !== 'string' && socket.#binaryType === 'blob') {
        const hint = "set socket.binaryType = 'arraybuffer' before the first message";
        throw notAvailable('Blob', hint);
      }
      fire(socket, new MessageEvent('message', { data, origin: socket.#origin }));
    };
    handlers.socketSent = (socket, size) => {
      socket.#bufferedAmount -= size;
    };
    handlers.socketClosing = (socket) => {
      socket.#readyState = CLOSING;
    };
    handlers.socketClosed = (socket, code, reason, wasClean, hasFailed) => {
      sockets.delete(socket.#id);
      socket.#readyState = CLOSED;
      if (hasFailed) fire(socket, new Event('error'));
      fire(socket, new CloseEvent('close', { code, reason, wasClean }));
    };
  }
}

const toUnsignedShort = (value) => {
  // Web IDL, [Clamp] unsigned short.
  const number = Number(value);
  return Number.isNaN(number) ? 0 : Math.min(Math.max(Math.round(number), 0), 65535);
};

const states = { CONNECTING, OPEN, CLOSING, CLOSED };
for (const [name, value] of Object.entries(states)) {
  Object.defineProperty(WebSocket, name, { value, enumerable: true });
  Object.defineProperty(WebSocket.prototype, name, { value, enumerable: true });
}
defineHandlers(WebSocket.prototype, ['open', 'message', 'error', 'close']);

/** Something about a socket. */
export const onSocket = (kind, id, ...values) => {
  const socket = sockets.get(id);
  if (socket) handlers[kind](socket, ...values);
};

/** A socket that was closed before it opened; false if the number is not a socket's. */
export const onSocketTimer = (id) => {
  const socket = sockets.get(id);
  if (socket) handlers.socketClosed(socket, 1006, '', false, true);
  return Boolean(socket);
};
