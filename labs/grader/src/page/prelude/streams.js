// Streams (WHATWG), with default readers; what the labs use of them.

export { ReadableStream, ReadableStreamDefaultController, ReadableStreamDefaultReader } from './readable-stream.js';
export { ByteLengthQueuingStrategy, CountQueuingStrategy } from './stream-parts.js';
export { TransformStream, TransformStreamDefaultController } from './transform-stream.js';
export { WritableStream, WritableStreamDefaultController, WritableStreamDefaultWriter } from './writable-stream.js';
