// The five who run: the clients of labs 1 to 5, as their solutions are, each at this race's own server.

import { poll } from '/race/-/lab1/client.js';
import { longPoll } from '/race/-/lab2/client.js';
import { watchPrices } from '/race/-/lab3/client.js';
import { ask } from '/race/-/lab4/client.js';
import { joinFloor } from '/race/-/lab5/client.js';

/** @typedef {import('./race-lane.js').Update} Update */
/** @typedef {'fetch' | 'poll' | 'sse' | 'stream' | 'ws'} Technique */
/** @typedef {'connecting' | 'live' | 'reconnecting' | 'over'} State */
/**
 * What a runner is given: the address of its server, and whom to tell.
 * @typedef {{ url: string, every: number, show: (update: Update) => void, state: (state: State) => void, signal: AbortSignal }} Course
 */

/** How long until an answer that broke off is asked for again, in milliseconds: as chapter 0 measures it. */
const AGAIN = 1_000;

/** The labs' words for it, in three. @param {string} status @returns {State} */
function inShort(status) {
  if (status === 'live' || status === 'fresh') return 'live';
  return status === 'loading' ? 'connecting' : 'reconnecting';
}

/** @type {Record<Technique, (course: Course) => void>} */
export const runners = {
  fetch({ url, every, show, state, signal }) {
    /** @param {{ data: Update }[]} prices one for each share, and the race has one share */
    const all = (prices) => prices.forEach(({ data }) => show(data));
    poll(`${url}/prices`, { every, show: all, status: (status) => state(inShort(status)), signal });
  },

  poll({ url, show, state, signal }) {
    longPoll({
      url: `${url}/updates`,
      after: 0,
      show: ({ data }) => show(/** @type {any} */ (data)),
      status: (status) => state(inShort(status)),
      signal,
    });
  },

  sse({ url, show, state, signal }) {
    watchPrices({
      url: `${url}/prices/stream`,
      show: (price) => show(/** @type {any} */ (price)),
      status: (status) => state(inShort(status)),
      signal,
    });
  },

  async stream({ url, show, state, signal }) {
    /** @param {string} token an update, as JSON */
    const onToken = (token) => {
      state('live');
      show(JSON.parse(token));
    };
    while (!signal.aborted) {
      // The lab's client asks once: an answer is paid for. Here it has no end, so it is asked for again.
      await ask('follow BMRI', { url: `${url}/ask`, token: 'demo', onToken, signal });
      if (signal.aborted) return;
      state('reconnecting');
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  },

  ws({ url, show, state, signal }) {
    joinFloor({
      url: `${url}/floor`.replace(/^http/, 'ws'),
      room: 'race',
      name: 'Viewer',
      show: (message) => { if (message.type === 'price') show(/** @type {any} */ (message.data)); },
      status: (status) => state(inShort(status)),
      signal,
    });
  },
};
