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
  /** @param {(event: ParsedEvent) => void} onEvent called for each event, in order */
  constructor(onEvent) {
    throw new Error('TODO 4');
  }

  /** @param {Uint8Array} bytes */
  push(bytes) {
    throw new Error('TODO 4');
  }

  end() {
    throw new Error('TODO 4');
  }

  /** @returns {number | undefined} milliseconds */
  get retry() {
    throw new Error('TODO 4');
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
    throw new Error('TODO 5');
    // ANCHOR_END: todo_5
  }

  // TODO 6: Finished: the server said `done`. Failed: it said `error`, or there
  // was no event stream at all. Anything else is truncated. None of these is
  // asked again: a question is paid for.
  // ANCHOR: todo_6
  /** Whether `response` is the head of an answer. If it is not, nothing in its body is a token. */
  function isAnswer() {
    return response !== null;
  }

  /** @returns {Outcome} */
  function outcome() {
    throw new Error('TODO 6');
  }
  // ANCHOR_END: todo_6

  // TODO 7: `signal` has aborted: the request is aborted, nothing more is shown,
  // and the outcome is `stopped`. Not even what is here already is shown.
  function stop() {
    // ANCHOR: todo_7
    throw new Error('TODO 7');
    // ANCHOR_END: todo_7
  }

  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  await converse();
  signal.removeEventListener('abort', stop);
  // After the last word there was nothing left to stop.
  return { outcome: stopped && !lastWord ? 'stopped' : outcome(), text };
}
