/**
 * The assistant's client: an event stream read by hand, because `EventSource`
 * can neither POST nor send a header.
 *
 * @typedef {{ type: string, data: string, lastEventId: string }} ParsedEvent
 * @typedef {'finished' | 'stopped' | 'failed' | 'truncated'} Outcome
 */

/**
 * Reads an event stream.
 *
 * TODO 4: Bytes in, events out, wherever the bytes are cut: HTML § 9.2.6 to the
 * letter. `push` takes the next bytes and hands every event that they complete
 * to `onEvent`, before it returns. `end` is called when there are no more.
 * `retry` is the last reconnection time that the stream has set, in
 * milliseconds; `undefined` until it has. README.md has the format's rules.
 */
export class EventStreamParser {
  // ANCHOR: todo_4
  /** One decoder for the whole stream: a character may begin in one chunk and end in another. */
  #decoder = new TextDecoder();
  /** The line that has not ended yet. */
  #line = '';
  /** The last character was CR: an LF now belongs to it. */
  #afterCr = false;

  /** The block that no blank line has ended yet. */
  #type = '';
  /** @type {string[]} */
  #data = [];
  /** It outlives its block: an event without `id` has the last one. */
  #lastEventId = '';
  /** @type {number | undefined} */
  #retry;

  #onEvent;

  /** @param {(event: ParsedEvent) => void} onEvent called for each event, in order */
  constructor(onEvent) {
    this.#onEvent = onEvent;
  }

  /** @param {Uint8Array} bytes */
  push(bytes) {
    this.#read(this.#decoder.decode(bytes, { stream: true }));
  }

  /** What no blank line has ended is no event. */
  end() {
    this.#line = '';
    this.#type = '';
    this.#data = [];
  }

  /** @returns {number | undefined} milliseconds */
  get retry() {
    return this.#retry;
  }

  /** @param {string} text */
  #read(text) {
    // A chunk may be empty, or hold only a part of a character.
    if (text === '') return;
    if (this.#afterCr && text.startsWith('\n')) text = text.slice(1);
    this.#afterCr = text.endsWith('\r');
    const lines = (this.#line + text).split(/\r\n|\r|\n/);
    this.#line = /** @type {string} */ (lines.pop());
    for (const line of lines) this.#take(line);
  }

  /** @param {string} line */
  #take(line) {
    if (line === '') {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#data.push(value);
    if (name === 'event') this.#type = value;
    if (name === 'id' && !value.includes('\0')) this.#lastEventId = value;
    if (name === 'retry' && /^[0-9]+$/.test(value)) this.#retry = Number(value);
  }

  #dispatch() {
    const event = { type: this.#type || 'message', data: this.#data.join('\n'), lastEventId: this.#lastEventId };
    const hasData = this.#data.length > 0;
    this.#type = '';
    this.#data = [];
    if (hasData) this.#onEvent(event);
  }
  // ANCHOR_END: todo_4
}

/**
 * Asks the assistant, once, and hands on its answer while it is being made.
 *
 * @param {string} question
 * @param {object} options
 * @param {string} options.url where to ask
 * @param {string} options.token who asks: the bearer token
 * @param {(token: string) => void} options.onToken called for each token of the answer, in order
 * @param {AbortSignal} options.signal Stop
 * @returns {Promise<{ outcome: Outcome, text: string }>} how it ended, and all that was heard
 */
export async function ask(question, { url, token, onToken, signal }) {
  let text = '';
  /** The head of the answer; nothing while, or if, there is none. @type {Response | null} */
  let response = null;
  /** The event that ended the answer: its type. @type {'done' | 'error' | null} */
  let lastWord = null;
  let stopped = false;
  /** Its signal goes into `fetch`. Aborting it closes the connection, and the server notices that. */
  const line = new AbortController();

  // TODO 5: One POST asks the question as JSON, with three headers; the data of
  // each `message` goes to `onToken` when it arrives. It goes to `text`, too.
  // Send `{ "question": … }` with Authorization, Content-Type and Accept; keep
  // the `response`. If `isAnswer()`, push its body, chunk by chunk, into an
  // `EventStreamParser`. `done` and `error` are the `lastWord`. A network that
  // fails is no exception: it is how it ended.
  async function converse() {
    // ANCHOR: todo_5
    const parser = new EventStreamParser(({ type, data }) => {
      if (stopped || lastWord) return;
      if (type === 'message') {
        text += data;
        onToken(data);
      }
      if (type === 'done' || type === 'error') lastWord = type;
    });
    const headers = {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      Accept: 'text/event-stream',
    };
    const body = JSON.stringify({ question });
    response = await fetch(url, { method: 'POST', headers, body, signal: line.signal }).catch(() => null);
    // What is no answer is not read, and not waited for.
    const reader = isAnswer() ? response?.body?.getReader() : null;
    while (reader && !lastWord) {
      // A body that breaks off ends here, as one that ends well.
      const chunk = await reader.read().catch(() => null);
      if (!chunk?.value) break;
      parser.push(chunk.value);
    }
    parser.end();
    // Nobody needs what may follow the last word.
    line.abort();
    // ANCHOR_END: todo_5
  }

  // TODO 6: Finished: the server said `done`. Failed: it said `error`, or there
  // was no event stream at all. Anything else is truncated. None of these is
  // asked again: a question is paid for.
  // ANCHOR: todo_6
  /** Whether `response` is the head of an answer. If it is not, nothing in its body is a token. */
  function isAnswer() {
    const type = response?.headers.get('Content-Type') ?? '';
    return response?.status === 200 && /^text\/event-stream\s*(;|$)/i.test(type);
  }

  /** @returns {Outcome} */
  function outcome() {
    if (!isAnswer() || lastWord === 'error') return 'failed';
    return lastWord === 'done' ? 'finished' : 'truncated';
  }
  // ANCHOR_END: todo_6

  // TODO 7: `signal` has aborted: the request is aborted, nothing more is shown,
  // and the outcome is `stopped`. Not even what is here already is shown.
  function stop() {
    // ANCHOR: todo_7
    stopped = true;
    line.abort();
    // ANCHOR_END: todo_7
  }

  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  await converse();
  signal.removeEventListener('abort', stop);
  // After the last word there was nothing left to stop.
  return { outcome: stopped && !lastWord ? 'stopped' : outcome(), text };
}
