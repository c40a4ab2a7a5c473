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
 * @param {(status: Status) => void} options.status called when the state of the line changes
 * @param {AbortSignal} options.signal ends it for good
 */
export function longPoll({ url, after, show, status, signal }) {
  /** The last update that was shown, and its log's name as soon as the server has told it. @type {{ seq: number, epoch?: string }} */
  let position = { seq: after };
  /** How many attempts in a row have failed. */
  let failures = 0;

  /** Asks for what comes after the position. */
  function address() {
    const query = new URLSearchParams({ after: String(position.seq) });
    if (position.epoch !== undefined) query.set('epoch', position.epoch);
    return `${url}?${query}`;
  }

  // TODO 5: The loop, one request at a time: `fetch` `address()`, with the
  // `signal` and with `cache: 'no-store'`. 200: `show` each of the `updates`,
  // and only when that has returned move the position to it (and to the
  // answer's `epoch`). 204: nothing was published. After both, say 'live' and
  // ask again at once. 409 or 410: `restart`, and ask again at once. Any
  // other status, and whatever fails: `pause`, and ask again.
  async function poll() {
    // ANCHOR: todo_5
    throw new Error('TODO 5');
    // ANCHOR_END: todo_5
  }

  // TODO 6: An attempt has failed. Say 'reconnecting'. While the machine is
  // offline (`navigator.onLine`), wait for `online`. Then wait for a time
  // drawn by chance: from nothing to 500 ms after the first failure, to 1 s
  // after the second in a row, to 2 s, 4 s … and at most 30 s. An attempt
  // that succeeds starts over. `sleep` and `happens` below end with the signal.
  async function pause() {
    // ANCHOR: todo_6
    throw new Error('TODO 6');
    // ANCHOR_END: todo_6
  }

  // TODO 7: The server cannot say what came after the position (409, 410).
  // Its answer bears the position where the log stands now, `epoch` and
  // `seq`: go on from there, and say 'missed'. Then read TODO 5 and 6 again
  // with an aborted signal in mind: that is the end, not an error, and from
  // then on there is silence.
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
 * Resolves when `target` hears of such an event, or as soon as `signal` aborts.
 *
 * @param {EventTarget} target
 * @param {string} type
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function happens(target, type, signal) {
  return new Promise((resolve) => {
    const heard = () => {
      target.removeEventListener(type, heard);
      signal.removeEventListener('abort', heard);
      resolve();
    };
    if (signal.aborted) return heard();
    target.addEventListener(type, heard);
    signal.addEventListener('abort', heard);
  });
}
