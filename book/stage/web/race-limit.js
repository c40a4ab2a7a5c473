// Six connections to a host: who holds them, and what happens when they are all held.

/** @typedef {import('./race-runners.js').Technique} Technique */
/** @typedef {{ name: string, mark: Technique }} Holder */

/** How many a browser opens to one host over HTTP/1.1. */
const SIX = 6;
/** With the two streams of the race these hold all of them: nobody else gets one. */
const MORE = 4;

/** Streams that nobody reads: each holds a connection. */
export class Crowd {
  /** @type {EventSource[]} */
  #sources = [];

  /** How many hold a connection; the others wait for one. */
  get open() {
    return this.#sources.filter((source) => source.readyState === EventSource.OPEN).length;
  }

  get size() {
    return this.#sources.length;
  }

  /** @param {string} url */
  come(url) {
    while (this.#sources.length < MORE) this.#sources.push(new EventSource(url));
  }

  leave() {
    for (const source of this.#sources) source.close();
    this.#sources = [];
  }
}

/** Whether this browser speaks HTTP/1.1 to the stage, or to what stands before it. */
function speaksOneByOne() {
  const entries = performance.getEntriesByType('resource').filter((entry) => entry.name.startsWith(location.origin));
  const last = /** @type {PerformanceResourceTiming | undefined} */ (entries.at(-1));
  return !last?.nextHopProtocol || last.nextHopProtocol === 'http/1.1';
}

/**
 * Draws the six, and says in a sentence what is so.
 *
 * @param {HTMLElement} slots
 * @param {HTMLElement} words
 * @param {{ held: Holder[], between: Holder[], crowd: Crowd, silence: number }} now `between`: who
 *   lets its connection go with each answer; `silence`: for how many seconds the stage's counts have not come
 */
export function drawSlots(slots, words, { held, between, crowd, silence }) {
  const taken = [...held];
  for (let at = 0; at < crowd.open; at += 1) taken.push({ name: 'A stream more', mark: 'sse' });
  // Whoever does not hold on to a connection is the first to be without one.
  taken.push(...between.slice(0, Math.max(SIX - taken.length, 0)));
  const items = Array.from({ length: SIX }, (_, at) => taken[at] ?? null);
  const drawn = items.map((item) => item?.name ?? '').join('|');
  if (slots.dataset.drawn !== drawn) {
    slots.dataset.drawn = drawn;
    slots.dataset.held = String(Math.min(taken.length, SIX));
    slots.replaceChildren(...items.map((item) => {
      const slot = document.createElement('li');
      if (item) slot.dataset.technique = item.mark;
      slot.textContent = item?.name ?? 'free';
      return slot;
    }));
  }
  const said = sentence(Math.min(taken.length, SIX), crowd, silence);
  if (words.textContent !== said) words.textContent = said;
}

/** @param {number} held @param {Crowd} crowd @param {number} silence */
function sentence(held, crowd, silence) {
  if (!speaksOneByOne()) {
    return 'Your browser speaks HTTP/2 or newer to what stands before this stage: everything shares one connection, and there is no limit of six to run into.';
  }
  const apart = 'WebSocket has a connection of its own: browsers count those apart.';
  if (crowd.size === 0) {
    return `${held} of ${SIX} are held. Short polling and this page’s own questions take one of the others for a moment, each time. ${apart}`;
  }
  if (silence < 3) {
    return `${crowd.size} streams more were opened, for nobody. ${held} of ${SIX} are held: soon whoever asks has to wait until one is free.`;
  }
  return `${held} of ${SIX} are held. Short polling and long polling wait in the browser, unseen: no error, no answer, in this tab and in all others. So do this page’s own questions: the counts are ${Math.round(silence)} s old. The two streams go on, and so does WebSocket.`;
}
