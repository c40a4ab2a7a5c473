// A wire, moment by moment, as the stage tells it: on a live page the visitor's own, on the console the one that is watched.

/** A panel shows this many moments, and this many characters of each; the transcript as text has more. */
const SHOWN = 400;
const LONG = 600;

/** @typedef {{ at: number, place: string, exchange: number | null, kind: string, words: string, headers: string[], text: string }} Moment */

/**
 * Draws what the stream at `url` tells into a panel, which holds a `.stage-log` with a list and a `.stage-empty`, a
 * `.stage-count` and a button that pauses. A stream that turns to another wire says `other`: the panel begins anew.
 * @param {HTMLElement} panel
 * @param {string} url
 * @param {(words: string) => void} tell what a screen reader is told: turning points only, never the flood
 */
export function follow(panel, url, tell) {
  const find = (/** @type {string} */ what) => /** @type {HTMLElement} */ (panel.querySelector(what));
  const [log, list, empty, counter, pause] = ['.stage-log', '.stage-log ol', '.stage-empty', '.stage-count', '.stage-bar button[aria-pressed]'].map(find);
  /** @type {Moment[]} moments that wait for the next frame, or for the end of the pause */
  let waiting = [];
  let drawing = false;
  let paused = false;
  let count = 0;

  function draw() {
    drawing = false;
    if (paused || waiting.length === 0) return;
    const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    list.append(...waiting.slice(-SHOWN).map(line));
    waiting = [];
    while (list.children.length > SHOWN) list.firstElementChild?.remove();
    if (follows) log.scrollTop = log.scrollHeight;
    empty.hidden = true;
    tellCount();
  }

  function drawSoon() {
    if (drawing) return;
    drawing = true;
    // A hidden page is given no frames; it draws when it is seen again.
    requestAnimationFrame(draw);
  }

  function tellCount() {
    counter.textContent = paused && waiting.length > 0 ? `${waiting.length} waiting` : `${count} moments`;
  }

  /** @type {EventSource} */
  let source;
  function listen() {
    source = new EventSource(url);
    source.addEventListener('moment', (event) => {
      /** @type {Moment} */
      const moment = JSON.parse(event.data);
      count += 1;
      waiting.push(moment);
      if (waiting.length > SHOWN) waiting.shift();
      if (['request', 'loss', 'end'].includes(moment.kind) || moment.words.startsWith('204')) {
        tell(`${moment.place}: ${[moment.words, ...moment.headers].join(', ')}`);
      }
      if (paused) tellCount();
      drawSoon();
    });
    source.addEventListener('other', () => {
      waiting = [];
      count = 0;
      list.replaceChildren();
      empty.hidden = false;
      counter.textContent = '';
    });
    source.addEventListener('open', () => panel.classList.remove('is-lost'));
    source.addEventListener('error', () => {
      panel.classList.add('is-lost');
      tell('The stage is out of reach; the panel tries again.');
    });
  }
  listen();
  addEventListener('pagehide', () => source.close());

  pause.hidden = false;
  pause.addEventListener('click', () => {
    paused = !paused;
    pause.setAttribute('aria-pressed', String(paused));
    pause.textContent = paused ? 'Go on' : 'Pause';
    tellCount();
    drawSoon();
  });
}

/** @param {string} tag @param {string} name @param {string} text */
function part(tag, name, text) {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}

/** @param {Moment} moment */
function line(moment) {
  const item = document.createElement('li');
  item.dataset.kind = moment.kind;
  item.dataset.place = moment.place;
  item.append(part('span', 'at', `${moment.at} ms`), ' ', part('span', 'place', moment.place), ' ');
  const what = part('span', 'what', '');
  if (moment.exchange !== null) what.append(part('span', 'exchange', `#${moment.exchange}`), ' ');
  const { words } = moment;
  what.append(words.length > LONG ? `${words.slice(0, LONG)} … (${words.length} characters)` : words);
  for (const header of moment.headers) what.append(' ', part('span', 'header', header));
  item.append(what);
  return item;
}

/**
 * Says things to a screen reader, the last of those that come together.
 * @param {HTMLElement} place
 * @returns {(words: string) => void}
 */
export function teller(place) {
  /** @type {number | undefined} */
  let telling;
  return (words) => {
    clearTimeout(telling);
    telling = setTimeout(() => { place.textContent = words; }, 300);
  };
}
