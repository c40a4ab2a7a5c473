// Bodies of requests and responses (Fetch § 5.3).

import { notAvailable } from './absent.js';
import { TextDecoder, bytesOf, encode } from './encoding.js';
import { ReadableStream } from './streams.js';
import { URLSearchParams } from './url.js';

/** A body as a client gives it → its bytes or stream, and the content type it implies. */
export const extract = (source) => {
  if (source === null || source === undefined) return { bytes: null, stream: null, type: null };
  if (source instanceof ReadableStream) {
    if (source.locked || source._isDisturbed) throw new TypeError('The stream is in use already.');
    return { bytes: null, stream: source, type: null };
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

  /** @internal */
  _setBody({ bytes, stream }) {
    this.#stream = stream;
    this.#bytes = bytes;
  }

  get body() {
    // A stream is made when somebody asks for one.
    if (this.#bytes !== null) {
      this.#stream = streamOf(this.#bytes);
      this.#bytes = null;
      if (this.#isRead) this.#stream.cancel();
    }
    return this.#stream;
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
    this._assertUnused();
    if (this.#bytes !== null) {
      this.#isRead = true;
      return this.#bytes.slice();
    }
    if (this.#stream === null) return new Uint8Array(0);
    this.#isRead = true;
    const chunks = [];
    let size = 0;
    for await (const chunk of this.#stream) {
      if (!(chunk instanceof Uint8Array)) throw new TypeError('a body is made of bytes');
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

  async json() {
    return JSON.parse(await this.text());
  }

  async blob() {
    throw notAvailable('blob()', 'read the body with arrayBuffer() or bytes()');
  }

  async formData() {
    throw notAvailable('formData()', 'read the body with text() and URLSearchParams');
  }

  /** @internal Two bodies of one. */
  _tee() {
    this._assertUnused();
    if (this.#stream === null) return { bytes: this.#bytes, stream: null };
    const [mine, other] = this.#stream.tee();
    this.#stream = mine;
    return { bytes: null, stream: other };
  }
}
for (const name of ['_setBody', '_assertUnused', '_tee']) {
  Object.defineProperty(Body.prototype, name, { enumerable: false });
}
