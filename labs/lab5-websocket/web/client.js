/**
 * The trading floor's client: a room to talk in, through every cut of the connection.
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
 * @param {(status: Status) => void} options.status called when the state of the connection changes
 * @param {AbortSignal} options.signal ends it for good
 * @returns {{ say(text: string): void, leave(): void }}
 */
export function joinFloor({ url, room, name, show, status, signal }) {
  /** @type {WebSocket | null} */
  let socket = null;
  /** Whether the floor has said `joined` on this socket. */
  let isIn = false;
  /** How often in a row the connection was lost before the floor said `joined`. */
  let failures = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let comingBack;
  let over = false;
  /** What was said and waits for a connection, oldest first. @type {Say[]} */
  let waiting = [];
  /** What was sent and is not acknowledged yet, oldest first. @type {Say[]} */
  let sent = [];
  /** The IDs of what was shown. @type {Set<string>} */
  const shown = new Set();

  // TODO 5: Open one `WebSocket` at `url`, say `join` when it opens, and keep
  // what is said before `joined` until then. Hand each message, parsed, to
  // `hear`, and the code of its `close` to `lost`.
  function open() {
    // ANCHOR: todo_5
    throw new Error('TODO 5');
    // ANCHOR_END: todo_5
  }

  // TODO 5, the second half: called when the floor has let us in, and when
  // something new is `waiting`. If we are in: send what waits, oldest first;
  // from then on it belongs to `sent`.
  function deliver() {
    // ANCHOR: todo_5_deliver
    throw new Error('TODO 5');
    // ANCHOR_END: todo_5_deliver
  }

  // TODO 6: A final close code: 'closed'. Any other end: 'reconnecting', and a
  // new `WebSocket` after a random wait that doubles, then `join` again. Final
  // are 1000, 1002, 1003, 1007 to 1010, and 4000 to 4999. The wait is half to
  // the whole of 1 s, then of 2 s, 4 s and so on, at most of 30 s.
  /** @param {number} code */
  function lost(code) {
    isIn = false;
    socket = null;
    if (over) return;
    // ANCHOR: todo_6
    throw new Error('TODO 6');
    // ANCHOR_END: todo_6
  }

  // TODO 7: Show each message once, by its `id`, and put what other people wrote
  // into the page as text. A message that comes again has the ID it had before.
  /** @param {Said} message */
  function showOnce(message) {
    // ANCHOR: todo_7
    throw new Error('TODO 7');
    // ANCHOR_END: todo_7
  }

  // TODO 8: What the floor has not `said` when the connection is lost goes out
  // again: same `id`, same order, before anything newer. This one it has said.
  /** @param {string} id */
  function acknowledged(id) {
    // ANCHOR: todo_8
    throw new Error('TODO 8');
    // ANCHOR_END: todo_8
  }

  // TODO 8, the second half: we are in again, on a new connection. What is still
  // in `sent` may have arrived or not: it must go out again, with its ID, before
  // what is `waiting`.
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
      // A connection that only opened proves little: on this one the floor has let us in.
      failures = 0;
      if (sent.length > 0) sendAgain();
      deliver();
      status('live');
      // Whoever is called may have left.
      if (over) return;
    }
    show(message);
  }

  /** @param {string} text */
  function say(text) {
    /** @type {Say} */
    const message = { type: 'say', id: newId(), text };
    if (new TextEncoder().encode(JSON.stringify(message)).length > LONGEST) {
      // The floor would close the connection with 1009, and that would be the end.
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
  // TODO 7, the second half: names and words are other people's. Put them in as
  // text: nothing in them may become an element of this page.
  // ANCHOR: todo_7_line
  throw new Error('TODO 7');
  // ANCHOR_END: todo_7_line
}
