// Text and bytes (Encoding). UTF-8 only: the decoder itself is the bench's.

import { notAvailable } from './absent.js';
import { host, text } from './host.js';
import { TransformStream } from './streams.js';

/** The bytes of a buffer or a view, not copied. */
export const bytesOf = (source) => {
  if (ArrayBuffer.isView(source)) {
    return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  }
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  throw new TypeError('expected an ArrayBuffer or a view on one');
};

export const encode = (value) => new Uint8Array(host.encode(text(value)));

export class TextEncoder {
  get encoding() {
    return 'utf-8';
  }

  encode(value = '') {
    return encode(value);
  }

  encodeInto(value, destination) {
    let read = 0;
    let written = 0;
    for (const character of text(value)) {
      const bytes = encode(character);
      if (written + bytes.length > destination.length) break;
      destination.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
}

const LABELS = ['unicode-1-1-utf-8', 'unicode11utf8', 'unicode20utf8', 'utf-8', 'utf8', 'x-unicode20utf8'];
/** The other encodings of browsers, by the beginnings of their labels (Encoding § 4.2). */
const OTHERS = /^(ansi|arabic|ascii|big5|chinese|cp|cs|cyrillic|dos|ecma|elot|euc|gb|greek|hebrew|hz|ibm|iso|koi|korean|ks|l\d|latin|logical|mac|ms|shift|sjis|sun|tis|ucs|unicode|us|utf-16|visual|windows|x-)/;

export class TextDecoder {
  #fatal;
  #ignoreBOM;
  /** The beginning of a character whose end has not come yet. */
  #rest = new Uint8Array(0);
  #isPastStart = false;

  constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
    label = String(label).trim().toLowerCase();
    if (!LABELS.includes(label)) {
      if (OTHERS.test(label)) throw notAvailable(`new TextDecoder('${label}')`, 'the labs speak UTF-8');
      throw new RangeError(`'${label}' is not an encoding.`);
    }
    this.#fatal = Boolean(fatal);
    this.#ignoreBOM = Boolean(ignoreBOM);
  }

  get encoding() {
    return 'utf-8';
  }
  get fatal() {
    return this.#fatal;
  }
  get ignoreBOM() {
    return this.#ignoreBOM;
  }

  decode(source, { stream = false } = {}) {
    let bytes = source === undefined ? new Uint8Array(0) : bytesOf(source);
    if (this.#rest.length > 0) {
      const joined = new Uint8Array(this.#rest.length + bytes.length);
      joined.set(this.#rest);
      joined.set(bytes, this.#rest.length);
      bytes = joined;
    }
    let [decoded, used, isInvalid] = host.decode(bytes, Boolean(stream));
    this.#rest = bytes.slice(used);
    if (isInvalid && this.#fatal) {
      this.#reset();
      throw new TypeError('The encoded data was not valid.');
    }
    if (!this.#isPastStart && decoded !== '') {
      this.#isPastStart = true;
      if (!this.#ignoreBOM && decoded.charCodeAt(0) === 0xfeff) decoded = decoded.slice(1);
    }
    if (!stream) this.#reset();
    return decoded;
  }

  #reset() {
    this.#rest = new Uint8Array(0);
    this.#isPastStart = false;
  }
}

export class TextEncoderStream {
  #transform;

  constructor() {
    // A pair of surrogates may be cut in two.
    let high = '';
    this.#transform = new TransformStream({
      transform(chunk, controller) {
        let value = high + String(chunk);
        const last = value.charCodeAt(value.length - 1);
        high = last >= 0xd800 && last <= 0xdbff ? value[value.length - 1] : '';
        if (high) value = value.slice(0, -1);
        if (value) controller.enqueue(encode(value));
      },
      flush(controller) {
        if (high) controller.enqueue(encode(high));
      },
    });
  }

  get encoding() {
    return 'utf-8';
  }
  get readable() {
    return this.#transform.readable;
  }
  get writable() {
    return this.#transform.writable;
  }
}

export class TextDecoderStream {
  #decoder;
  #transform;

  constructor(label, options) {
    const decoder = new TextDecoder(label, options);
    this.#decoder = decoder;
    this.#transform = new TransformStream({
      transform(chunk, controller) {
        const decoded = decoder.decode(chunk, { stream: true });
        if (decoded) controller.enqueue(decoded);
      },
      flush(controller) {
        const decoded = decoder.decode();
        if (decoded) controller.enqueue(decoded);
      },
    });
  }

  get encoding() {
    return this.#decoder.encoding;
  }
  get fatal() {
    return this.#decoder.fatal;
  }
  get ignoreBOM() {
    return this.#decoder.ignoreBOM;
  }
  get readable() {
    return this.#transform.readable;
  }
  get writable() {
    return this.#transform.writable;
  }
}
