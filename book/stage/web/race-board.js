// The board: a row for each technique, its figures, and its latencies on one scale.

import { Lane } from './race-lane.js';

/** @typedef {import('./race-runners.js').Technique} Technique */
/** @typedef {import('./race-runners.js').State} State */
/** @typedef {{ requests: number, connections: number, to_server: number, to_client: number }} Count */

/** The scale of the latencies, in milliseconds, and its parts. */
const [FROM, TO, PARTS] = [1, 10_000, 24];
const [WIDTH, HEIGHT] = [240, 44];
const SVG = 'http://www.w3.org/2000/svg';

/** What stands in each column: its name, and the id of its explanation. */
const COLUMNS = [
  ['shows', 'Shows now'],
  ['bytes', 'Bytes an update'],
  ['requests', 'Requests'],
  ['late', 'Late by'],
  ['missed', 'Never shown'],
  ['cut', 'After the cut'],
];

/** @type {Record<State, string>} */
const WORDS = { connecting: 'connecting …', live: 'live', reconnecting: 'reconnecting …', over: 'over' };

/** A whole number with thin blanks. @param {number} value */
export const whole = (value) => Math.round(value).toLocaleString('en').replaceAll(',', '\u202f');

/** @param {number} bytes */
export const size = (bytes) => (bytes < 10_000 ? `${whole(bytes)} B` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

/** @param {number} ms */
export const time = (ms) => (ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`);

/** @param {string} tag @param {Record<string, string>} attributes @param {(Node | string)[]} children */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A column's name, which opens its explanation. @param {string} column @param {string} name */
const label = (column, name) => make('button', { type: 'button', popovertarget: `what-${column}`, class: 'race-label' }, name);

/** @param {Element} element @param {string} text */
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** One technique's row. */
export class Row {
  /** What it has shown in this race. */
  lane = new Lane();
  /** @type {State} */
  #state = 'connecting';
  /** What the stage has counted, and what it had when the settings were last changed. @type {Count | null} */
  count = null;
  #before = { bytes: 0, shown: 0 };
  /** How many updates it had shown when that was counted. */
  #shown = 0;
  /** @type {Map<string, [HTMLElement, HTMLElement]>} */
  #cells = new Map();
  #bars;

  /** @param {Technique} mark @param {string} name @param {Element} body */
  constructor(mark, name, body) {
    this.mark = mark;
    this.name = name;
    this.word = make('span', { class: 'race-state' });
    const head = make('th', { scope: 'row', role: 'rowheader' }, make('span', { class: 'race-name' }, name), ' ', this.word);
    this.element = make('tr', { 'data-technique': mark, role: 'row' }, head);
    for (const [column, title] of COLUMNS) {
      const [main, sub] = [make('b', { 'data-what': column }, '–'), make('small', {}, '')];
      this.#cells.set(column, [main, sub]);
      this.element.append(make('td', { role: 'cell', 'data-column': column }, label(column, title), main, ' ', sub));
    }
    const picture = document.createElementNS(SVG, 'svg');
    picture.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    picture.setAttribute('preserveAspectRatio', 'none');
    picture.setAttribute('role', 'img');
    this.#bars = picture;
    this.element.querySelector('[data-column=late]')?.after(make('td', { role: 'cell', 'data-column': 'spread' }, picture, scale()));
    body.append(this.element);
    this.state = 'connecting';
  }

  get state() {
    return this.#state;
  }

  set state(state) {
    this.#state = state;
    this.element.dataset.state = state;
    put(this.word, WORDS[state]);
  }

  /** @param {Count} count */
  counted(count) {
    this.count = count;
    this.#shown = this.lane.shown;
  }

  /** From here on the bytes of an update are counted anew. */
  anew() {
    this.#before = { bytes: this.bytes, shown: this.#shown };
  }

  get bytes() {
    return this.count ? this.count.to_server + this.count.to_client : 0;
  }

  /** Bytes for each update that was shown; nothing before there is one. */
  get price() {
    const shown = this.#shown - this.#before.shown;
    return shown > 0 ? (this.bytes - this.#before.bytes) / shown : null;
  }

  /** @param {string} column @param {string} main @param {string} sub */
  #tell(column, main, sub) {
    const [one, two] = /** @type {[HTMLElement, HTMLElement]} */ (this.#cells.get(column));
    put(one, main);
    put(two, sub);
  }

  /** What changes with each update. @param {number | null} behind for how long it has been out of date, in milliseconds */
  drawNow(behind) {
    const { now } = this.lane;
    const isBehind = behind !== null && behind >= 0;
    this.element.toggleAttribute('data-behind', isBehind && behind >= 1_000);
    this.#tell('shows', now ? `#${whole(now.number)}` : '–', now === null ? '' : isBehind ? `${time(behind)} behind` : 'up to date');
  }

  /** Everything else. */
  draw() {
    const { lane, count, price } = this;
    this.#tell('bytes', price === null ? '–' : whole(price), count ? `${size(this.bytes)} in all` : '');
    this.#tell('requests', count ? whole(count.requests) : '–', count ? `${count.connections} ${count.connections === 1 ? 'connection' : 'connections'}` : '');
    const { latencies, cut } = lane;
    const [half, most] = [latencies.within(0.5), latencies.within(0.99)];
    this.#tell('late', latencies.count ? time(half) : '–', latencies.count ? `99 %: ${time(most)}` : '');
    this.#tell('missed', whole(lane.missed), `${whole(lane.repeated)} shown twice`);
    const isBack = cut?.back !== null;
    if (!cut) this.#tell('cut', '–', '');
    else this.#tell('cut', isBack ? `${whole(cut.lost)} lost` : '…', isBack ? `back in ${time(cut.back ?? 0)}` : 'not back yet');
    this.#drawSpread(half, most);
  }

  /** @param {number} half @param {number} most */
  #drawSpread(half, most) {
    const { latencies } = this.lane;
    const spread = latencies.spread(FROM, TO, PARTS);
    const highest = Math.max(...spread, 1);
    while (this.#bars.childElementCount < PARTS) {
      const bar = document.createElementNS(SVG, 'rect');
      bar.setAttribute('x', String((this.#bars.childElementCount * WIDTH) / PARTS + 1));
      bar.setAttribute('width', String(WIDTH / PARTS - 2));
      this.#bars.append(bar);
    }
    for (const [at, bar] of [...this.#bars.children].entries()) {
      const height = spread[at] === 0 ? 0 : Math.max((spread[at] / highest) * HEIGHT, 2);
      bar.setAttribute('y', String(HEIGHT - height));
      bar.setAttribute('height', String(height));
    }
    const words = latencies.count === 0 ? 'Nothing shown yet' : `Half of them within ${time(half)}, 99 % within ${time(most)}, the latest ${time(latencies.most)}`;
    if (this.#bars.getAttribute('aria-label') !== words) this.#bars.setAttribute('aria-label', words);
  }
}

/** The scale below each picture: the same for all. */
function scale() {
  return make('span', { class: 'race-scale', 'aria-hidden': 'true' }, ...['1 ms', '10', '100', '1 s', '10 s'].map((mark) => make('i', {}, mark)));
}

/** Draws the heads of the columns. @param {Element} head */
export function drawHeads(head) {
  const heads = COLUMNS.map(([column, name]) => make('th', { scope: 'col', role: 'columnheader', 'data-column': column }, label(column, name)));
  heads.splice(4, 0, make('th', { scope: 'col', role: 'columnheader', 'data-column': 'spread' }, label('spread', 'How the latencies lie')));
  head.append(make('th', { scope: 'col', role: 'columnheader' }, 'Technique'), ...heads);
}
