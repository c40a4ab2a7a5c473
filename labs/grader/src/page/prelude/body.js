// Bodies of requests and responses (Fetch § 5.3).

import { notAvailable } from './absent.js';
import { TextDecoder, bytesOf, encode } from './encoding.js';
import { ReadableStream, TransformStream } from './streams.js';
import { URLSearchParams } from './url.js';

/** A body as a client gives it → its bytes or stream, and the content type it implies. */
export const extract = (source) => {
  if (source === null || source === undefined) return { bytes: null, stream: null, type: null };
  if (source instanceof ReadableStream) {
    if (source.locked || source._isDisturbed) throw new TypeError('The stream is in use already.');
    return { bytes: null, stream: source, type: null, isStreaming: true };
  }
  if (source instanceof URLSearchParams) {
    const type = 'application/x-www-form-urlencoded;charset=UTF-8';
    return { bytes: encode(source), stream: null, type };
  }
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    return { bytes: bytesOf(source).slice(), stream: null, type: null };
  }
  return { bytes: encode(source), stream: null, type: 'text/plain;charset=UTF-8' };
};

/** Statuses of responses that have no body (Fetch § 2.2.3). */
export const EMPTY_STATUSES = [101, 103, 204, 205, 304];

const streamOf = (bytes) =>
  new ReadableStream({
    start(controller) {
      if (bytes.length > 0) controller.enqueue(bytes);
      controller.close();
    },
  });

/** What Request and Response share. */
export class Body {
  #stream = null;
  #bytes = null;
  #isRead = false;
  #isStreaming = false;

  /** @internal */
  _setBody({ bytes, stream, isStreaming = false }) {
    this.#stream = stream;
    this.#bytes = bytes;
    this.#isStreaming = isStreaming;
  }

  get body() {
    // A stream is made when somebody asks for one.
    if (this.#bytes !== null) {
      this.#stream = streamOf(this.#bytes);
      this.#bytes = null;
      // What has been read stays locked by its reader.
      if (this.#isRead) this.#stream.getReader().cancel();
    }
    return this.#stream;
  }

  /** @internal */
  get _hasBody() {
    return this.#bytes !== null || this.#stream !== null;
  }

  /** @internal Whether the body comes from a stream of the client's. */
  get _isStreaming() {
    return this.#isStreaming;
  }

  get bodyUsed() {
    return this.#isRead || (this.#stream?._isDisturbed ?? false);
  }

  /** @internal */
  _assertUnused() {
    if (this.bodyUsed) throw new TypeError('body stream already read');
    if (this.#stream?.locked) throw new TypeError('body stream is locked');
  }

  async bytes() {
    // What was aborted says so each time, as in browsers.
    if (this.#stream?._state === 'errored') throw this.#stream._error;
    this._assertUnused();
    if (this.#bytes !== null) {
      this.#isRead = true;
      return this.#bytes.slice();
    }
    if (this.#stream === null) return new Uint8Array(0);
    const chunks = [];
    let size = 0;
    // It keeps its lock: a body is read once.
    const reader = this.#stream.getReader();
    for (let result; !(result = await reader.read()).done; ) {
      const chunk = result.value;
      if (!(chunk instanceof Uint8Array)) {
        const problem = new TypeError('a body is made of bytes');
        reader.cancel(problem).catch(() => {});
        throw problem;
      }
      chunks.push(chunk);
      size += chunk.length;
    }
    const joined = new Uint8Array(size);
    let offset = 0;
    for (const chunk of chunks) {
      joined.set(chunk, offset);
      offset += chunk.length;
    }
    return joined;
  }

  async arrayBuffer() {
    return (await this.bytes()).buffer;
  }

  async text() {
    return new TextDecoder().decode(await this.bytes());
  }

  json() {
    // Made here, so that it names the place that asked.
    const failure = new SyntaxError();
    return this.text().then((text) => {
      try {
        return JSON.parse(text);
      } catch (error) {
        const shown = text.length > 20 ? `${text.slice(0, 20)}…` : text;
        const why =
          text === ''
            ? `Unexpected end of JSON input: ${this._whyEmpty}`
            : `${error.message}, "${shown}" is not valid JSON`;
        Object.defineProperty(failure, 'message', { value: why, configurable: true, writable: true });
        throw failure;
      }
    });
  }

  /** @internal */
  get _whyEmpty() {
    return EMPTY_STATUSES.includes(this.status) ? `a response with status ${this.status} has no body` : 'the body is empty';
  }

  async blob() {
    throw notAvailable('blob()', 'read the body with arrayBuffer() or bytes()');
  }

  async formData() {
    throw notAvailable('formData()', 'read the body with text() and URLSearchParams');
  }

  /** @internal The body for a request that is made of this one, which is used up by that. */
  _take() {
    this._assertUnused();
    if (this.#stream === null) {
      this.#isRead = this.#bytes !== null;
      return { bytes: this.#bytes, stream: null };
    }
    const stream = this.#stream.pipeThrough(new TransformStream());
    return { bytes: null, stream, isStreaming: this.#isStreaming };
  }

  /** @internal Two bodies of one. */
  _tee() {
    this._assertUnused();
    if (this.#stream === null) return { bytes: this.#bytes, stream: null };
    // Each has bytes of its own.
    const [mine, other] = this.#stream._tee((chunk) => chunk.slice?.() ?? chunk);
    this.#stream = mine;
    return { bytes: null, stream: other, isStreaming: this.#isStreaming };
  }
}
for (const name of ['_setBody', '_hasBody', '_isStreaming', '_whyEmpty', '_assertUnused', '_take', '_tee']) {
  Object.defineProperty(Body.prototype, name, { enumerable: false });
}
