/**
 * The market's client: prices on request, and orders.
 *
 * @typedef {{ symbol: string, price: number }} Price
 * @typedef {{ seq: number, data: Price }} Update
 * @typedef {{ symbol: string, side: 'buy' | 'sell', quantity: number }} Order
 * @typedef {Order & { id: number, price: number }} Executed
 *
 * What a server says that refuses (RFC 9457).
 * @typedef {{ status?: number, title?: string, detail?: string }} Problem
 *
 * @typedef {'loading' | 'fresh' | 'stale' | 'error'} Status
 */

/** How long an answer may take where nobody says: milliseconds. */
const TIMEOUT = 10_000;

/** The server has answered, and the answer is an error. */
export class HttpError extends Error {
  /**
   * @param {number} status the status code
   * @param {Problem | null} problem what the server says, if it says it as a problem document
   */
  constructor(status, problem) {
    super(problem?.detail ?? problem?.title ?? `The server answered with status ${status}.`);
    this.name = 'HttpError';
    this.status = status;
    this.problem = problem;
  }
}

/**
 * Asks for JSON.
 *
 * @param {string} url
 * @param {{ signal?: AbortSignal, timeout?: number }} [options] `timeout` in milliseconds
 * @returns {Promise<unknown>} the data
 * @throws {HttpError} for an answer that is an error; what `fetch` throws where there is none
 */
export async function getJson(url, { signal, timeout } = {}) {
  const { data } = await request(url, { signal }, timeout);
  return data;
}

/**
 * Places an order. The same order under the same key is executed once, however often it is sent.
 *
 * @param {string} url
 * @param {Order} order
 * @param {string} key
 * @returns {Promise<Executed>}
 */
export async function placeOrder(url, order, key) {
  const headers = { 'content-type': 'application/json', 'idempotency-key': key };
  const { data } = await request(url, { method: 'POST', headers, body: JSON.stringify(order) });
  return /** @type {Executed} */ (data);
}

/**
 * TODO 4: One request, from the question to the last byte of the answer: it
 * gives the data, an `HttpError`, a `TimeoutError` or an `AbortError`.
 * - `ok` comes first: an error becomes an `HttpError` with the status and,
 *   where the body is `application/problem+json`, with the problem. Whatever
 *   else stands in the body of an error, it is not parsed.
 * - A 304 is no error. It has no data.
 * - Without the whole answer after `timeout` milliseconds the request is
 *   ended, with an error whose name is `TimeoutError`. A caller who aborts
 *   `init.signal` gets that signal's reason, usually an `AbortError`.
 *
 * @param {string} url
 * @param {RequestInit} init as `fetch` takes it
 * @param {number} [timeout]
 * @returns {Promise<{ status: number, tag: string | null, data: unknown }>} `tag` is the answer's ETag
 */
async function request(url, init, timeout = TIMEOUT) {
  // ANCHOR: todo_4
  const late = AbortSignal.timeout(timeout);
  const signal = init.signal ? AbortSignal.any([init.signal, late]) : late;
  const response = await fetch(url, { ...init, signal });
  const { status } = response;
  const tag = response.headers.get('etag');
  if (status === 304) return { status, tag, data: null };
  if (response.ok) return { status, tag, data: await response.json() };

  const mediaType = (response.headers.get('content-type') ?? '').split(';')[0].trim().toLowerCase();
  let problem = null;
  if (mediaType === 'application/problem+json') {
    problem = await response.json().catch(() => null);
    signal.throwIfAborted();
  }
  throw new HttpError(status, problem);
  // ANCHOR_END: todo_4
}

/**
 * Asks again and again until `signal` aborts, and shows every answer that is new.
 *
 * @param {string} url
 * @param {object} options
 * @param {number} options.every milliseconds from one request to the next
 * @param {(data: any) => void} options.show called with the data of each answer that is new
 * @param {(status: Status, error?: unknown) => void} options.status called when it changes what the shown value is worth
 * @param {AbortSignal} options.signal ends it
 */
export function poll(url, { every, show, status, signal }) {
  /** The tag of what is shown, if the server gave it one. @type {string | null} */
  let tag = null;
  /** Whether a value is shown: TODO 6 sets it. */
  let isShown = false;

  // TODO 5: Ask at once and then every `every` milliseconds, one request at a
  // time; show what is new, and after an abort do nothing at all.
  // Ask with `request(url, { headers, signal })`, and name `tag` in
  // `if-none-match`. An answer that is new: keep its tag, `show` its data. Call
  // `tell('answer')` after an answer, be it new or 304, and
  // `tell('failure', error)` after a failure; go on in both cases. `show` and
  // `tell` may abort the signal, too.
  async function run() {
    // ANCHOR: todo_5
    while (!signal.aborted) {
      /** @type {Record<string, string>} */
      const headers = tag === null ? {} : { 'if-none-match': tag };
      const answer = await request(url, { headers, signal }).catch((error) => ({ error }));
      // Whoever has aborted wants to hear nothing more, not even of an answer that came at the same moment.
      if (signal.aborted) return;
      if ('error' in answer) {
        tell('failure', answer.error);
      } else {
        if (answer.status !== 304) {
          tag = answer.tag;
          show(answer.data);
        }
        // `show` may have aborted it: then nobody wants to hear of `fresh` either.
        if (signal.aborted) return;
        tell('answer');
      }
      // From the end of one to the beginning of the next: a slow server is asked less often.
      await pause(every, signal);
    }
    // ANCHOR_END: todo_5
  }

  // TODO 6: Tell `status` what the shown value is worth: 'loading', 'fresh',
  // 'stale' or 'error'. `isShown` is yours to set.
  // 'begin': 'loading'. An answer: 'fresh'. A failure: 'stale' with the error if
  // a value is shown, and 'error' with the error if there is none.
  /**
   * @param {'begin' | 'answer' | 'failure'} event
   * @param {unknown} [error]
   */
  function tell(event, error) {
    // ANCHOR: todo_6
    if (event === 'begin') {
      status('loading');
    } else if (event === 'answer') {
      isShown = true;
      status('fresh');
    } else {
      status(isShown ? 'stale' : 'error', error);
    }
    // ANCHOR_END: todo_6
  }

  if (signal.aborted) return;
  tell('begin');
  run();
}

/**
 * Waits, but no longer than until the signal aborts.
 *
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
