/**
 * The client of the order book: fills as they happen, by long polling.
 *
 * @typedef {{ symbol: string, price: number }} Fill
 * @typedef {{ seq: number, data: Fill }} Update
 * @typedef {'live' | 'reconnecting' | 'missed'} Status
 */

/** The longest first wait after a failure, and the longest of all: milliseconds. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;

/**
 * Shows every update of a feed until `signal` aborts.
 *
 * @param {object} options
 * @param {string} options.url where to ask
 * @param {number} options.after the last update that the page has already; 0 for none
 * @param {(update: Update) => void} options.show called once for each update, in order
 * @param {(status: Status) => void} options.status called when the state of the connection changes
 * @param {AbortSignal} options.signal ends it for good
 */
export function longPoll({ url, after, show, status, signal }) {
  /** The last update that was shown, and its log's name as soon as the server has given it. @type {{ seq: number, epoch?: string }} */
  let position = { seq: after };
  /** How many attempts in a row have failed. */
  let failures = 0;

  /** Asks for what comes after the position. */
  function address() {
    const query = new URLSearchParams({ after: String(position.seq) });
    if (position.epoch !== undefined) query.set('epoch', position.epoch);
    return `${url}?${query}`;
  }

  // TODO 5: One request at a time, the next one at once; every update is shown
  // once and in order, and the next request asks for what follows the last one.
  // `fetch` `address()`, with the `signal` and with `cache: 'no-store'`. 200:
  // `show` each of the `updates`, and only when that has returned move the
  // position to it (and to the answer's `epoch`). 204: nothing was published.
  // After both, report 'live' and ask again. 409 or 410: `restart`, and ask
  // again at once. Any other status, and whatever fails: `pause`, and ask again.
  async function poll() {
    // ANCHOR: todo_5
    throw new Error('TODO 5');
    // ANCHOR_END: todo_5
  }

  // TODO 6: After a failure: 'reconnecting', and the same request again after a
  // random wait, of up to 500 ms, then up to 1 s, 2 s … 30 s; a success starts
  // over. While `navigator.onLine` is false you may wait for `online` first, but
  // no longer than 30 s in all: this server may need no network to be reached.
  // `sleep` and `happens` below end with the signal.
  async function pause() {
    // ANCHOR: todo_6
    throw new Error('TODO 6');
    // ANCHOR_END: todo_6
  }

  // TODO 7: 409 and 410: 'missed', and at once on from the position in the
  // answer. After an abort of `signal` there is silence.
  // The position is where the log stands now, as `epoch` and `seq`. For the
  // abort read TODO 5 and 6 again: it is the end and not a failure, whatever
  // the client is doing or waiting for.
  /** @param {Response} answer */
  async function restart(answer) {
    // ANCHOR: todo_7
    throw new Error('TODO 7');
    // ANCHOR_END: todo_7
  }

  poll();
}

/**
 * Resolves after so many milliseconds, or as soon as `signal` aborts.
 *
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const timer = setTimeout(wake, signal.aborted ? 0 : milliseconds);
    signal.addEventListener('abort', wake);
  });
}

/**
 * Resolves when such an event is fired at `target`, after so many milliseconds
 * at the latest, or as soon as `signal` aborts.
 *
 * @param {EventTarget} target
 * @param {string} type
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function happens(target, type, milliseconds, signal) {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      target.removeEventListener(type, wake);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const timer = setTimeout(wake, signal.aborted ? 0 : milliseconds);
    target.addEventListener(type, wake);
    signal.addEventListener('abort', wake);
  });
}
