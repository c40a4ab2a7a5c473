/**
 * The ticker's client: prices as they move, for as long as somebody looks.
 *
 * @typedef {{ symbol: string, price: number }} Price
 * @typedef {'connecting' | 'live' | 'reconnecting' | 'closed'} Status
 */

/** A page that nobody has looked at for so long needs no prices. */
const HIDDEN_FOR = 60_000;
/** The first wait after the browser has given up, and the longest: milliseconds. */
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;

/**
 * Shows every price of an event stream until `signal` aborts.
 *
 * @param {object} options
 * @param {string} options.url the event stream
 * @param {(price: Price) => void} options.show called once for each price, in order
 * @param {(status: Status) => void} options.status called when the state of the connection changes
 * @param {AbortSignal} options.signal ends it for good
 */
export function watchPrices({ url, show, status, signal }) {
  /** The ID of the last price that was shown; empty before the first. */
  let position = '';
  /** @type {EventSource | null} */
  let source = null;
  /** How often in a row the browser has given up. */
  let failures = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let comingBack;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let lookingAway;
  /** Whether the market has closed: then nothing is opened any more. */
  let over = false;

  /** Where a new stream starts: after the last price that was shown. */
  const address = () => (position ? `${url}?after=${encodeURIComponent(position)}` : url);

  function close() {
    clearTimeout(comingBack);
    source?.close();
    source = null;
  }

  // TODO 5: One EventSource: 'live' when it opens, each `price` event shown
  // once, its ID kept as the position. Open it at `address()`, and hand its
  // errors to `lost`. If `show` throws, the position stays where it was.
  function open() {
    // ANCHOR: todo_5
    throw new Error('TODO 5');
    // ANCHOR_END: todo_5
  }

  // TODO 6: The browser comes back by itself while it can; once it has given up,
  // ask why, and come back later or not at all. CONNECTING: say 'reconnecting',
  // and leave it to the browser. CLOSED: `fetch` the same address once, with
  // method HEAD. 204: say 'closed'; then all is `over`. Anything else: say
  // 'reconnecting', and `open()` again after a random wait, from half to the
  // whole of 1 s, then of 2 s, 4 s … at most 30 s. A stream that opens starts
  // over at 1 s. Whoever aborts or closes meanwhile wants no stream any more.
  async function lost() {
    // ANCHOR: todo_6
    throw new Error('TODO 6');
    // ANCHOR_END: todo_6
  }

  // TODO 7: Hidden for 60 s: close. Visible again: open from the position. Never
  // two streams at once. Called on `visibilitychange`. `HIDDEN_FOR` is the time;
  // if the stream is still there, or all is `over`, there is nothing to open.
  function looked() {
    // ANCHOR: todo_7
    throw new Error('TODO 7');
    // ANCHOR_END: todo_7
  }

  if (signal.aborted) return;
  signal.addEventListener('abort', close, { once: true });
  signal.addEventListener('abort', () => clearTimeout(lookingAway), { once: true });
  document.addEventListener('visibilitychange', looked, { signal });
  window.addEventListener('pagehide', close, { signal });
  window.addEventListener('pageshow', (event) => event.persisted && !source && !over && open(), { signal });
  open();
}
