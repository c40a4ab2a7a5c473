/**
 * The trading floor's client: a room to talk in, through every cut of the line.
 *
 * @typedef {{ type: 'said', id: string, from: string, text: string }} Said
 * @typedef {{ type: 'joined', room: string, members: string[] }
 *   | { type: 'entered', name: string }
 *   | { type: 'left', name: string }
 *   | Said
 *   | { type: 'price', seq: number, data: { symbol: string, price: number } }
 *   | { type: 'error', reason: string }} Message
 * @typedef {{ type: 'say', id: string, text: string }} Say
 * @typedef {'live' | 'reconnecting' | 'closed'} Status
 */

/** The longest message that the floor reads, in bytes. */
const LONGEST = 4096;
/** The first wait before coming back, and the longest: milliseconds. */
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;

/** An ID that nobody else draws. (`crypto.randomUUID` is missing on pages without TLS.) */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Joins a room and stays in it until `leave()`, or until `signal` aborts.
 *
 * @param {object} options
 * @param {string} options.url the floor's address
 * @param {string} options.room
 * @param {string} options.name the trader's
 * @param {(message: Message) => void} options.show called with what the floor says, each message once
 * @param {(status: Status) => void} options.status called when the state of the line changes
 * @param {AbortSignal} options.signal ends it for good
 * @returns {{ say(text: string): void, leave(): void }}
 */
export function joinFloor({ url, room, name, show, status, signal }) {
  /** @type {WebSocket | null} */
  let socket = null;
  /** Whether the floor has said `joined` on this socket. */
  let isIn = false;
  /** How often in a row the line was lost before the floor said `joined`. */
  let failures = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let comingBack;
  let over = false;
  /** What was said and waits for a line, oldest first. @type {Say[]} */
  let waiting = [];
  /** What was sent and is not acknowledged yet, oldest first. @type {Say[]} */
  let sent = [];
  /** The IDs of what was shown. @type {Set<string>} */
  const shown = new Set();

  // TODO 5: Open one `WebSocket` at `url`. Send `join` when it opens. Hand
  // each message, parsed, to `hear`, and the code of its `close` to `lost`.
  function open() {
    // ANCHOR: todo_5
    throw new Error('TODO 5');
    // ANCHOR_END: todo_5
  }

  // TODO 5: Called when the floor has let us in, and when something new is
  // `waiting`. If we are in: send what waits, oldest first; from then on it
  // belongs to `sent`.
  function deliver() {
    // ANCHOR: todo_5_deliver
    throw new Error('TODO 5');
    // ANCHOR_END: todo_5_deliver
  }

  // TODO 6: The line is gone. Code 1000, or 4000 to 4999: it was meant so; say
  // 'closed', and that was all. Anything else: say 'reconnecting' and `open()`
  // after a wait drawn by chance, from half to the whole of 1 s, then of 2 s,
  // 4 s … at most 30 s.
  /** @param {number} code */
  function lost(code) {
    isIn = false;
    socket = null;
    if (over) return;
    // ANCHOR: todo_6
    throw new Error('TODO 6');
    // ANCHOR_END: todo_6
  }

  // TODO 7: Show each message once: one that comes again has the ID it had before.
  /** @param {Said} message */
  function showOnce(message) {
    // ANCHOR: todo_7
    throw new Error('TODO 7');
    // ANCHOR_END: todo_7
  }

  // TODO 8: The floor has said this message of ours: it has arrived.
  /** @param {string} id */
  function acknowledged(id) {
    // ANCHOR: todo_8
    throw new Error('TODO 8');
    // ANCHOR_END: todo_8
  }

  // TODO 8: We are in again, on a new line. What is still in `sent` may have
  // arrived or not: it must go out again, with its ID, before what is `waiting`.
  function sendAgain() {
    // ANCHOR: todo_8_again
    throw new Error('TODO 8');
    // ANCHOR_END: todo_8_again
  }

  /** @param {Message} message */
  function hear(message) {
    if (message.type === 'said') {
      if (sent.some(({ id }) => id === message.id)) acknowledged(message.id);
      showOnce(message);
      return;
    }
    if (message.type === 'joined') {
      isIn = true;
      // A line that opened proves little: one that was let in has made it.
      failures = 0;
      status('live');
      if (sent.length > 0) sendAgain();
      deliver();
    }
    show(message);
  }

  /** @param {string} text */
  function say(text) {
    /** @type {Say} */
    const message = { type: 'say', id: newId(), text };
    if (new TextEncoder().encode(JSON.stringify(message)).length > LONGEST) {
      // The floor would close the line, and we would come back and send it again, for ever.
      throw new RangeError(`A message has ${LONGEST} bytes at most.`);
    }
    if (over) return;
    waiting.push(message);
    deliver();
  }

  function leave() {
    if (over) return;
    over = true;
    clearTimeout(comingBack);
    socket?.close(1000);
    status('closed');
  }

  if (signal.aborted) return { say() {}, leave() {} };
  signal.addEventListener('abort', leave, { once: true });
  open();
  return { say, leave };
}

/**
 * What the floor said, as a line of the page's log.
 *
 * @param {string} who the trader's name
 * @param {string} what their words
 * @returns {HTMLElement} a list item that contains both
 */
export function line(who, what) {
  // TODO 7: Names and words are other people's: put them in as text. Nothing
  // in them may become an element of this page.
  // ANCHOR: todo_7_line
  throw new Error('TODO 7');
  // ANCHOR_END: todo_7_line
}
