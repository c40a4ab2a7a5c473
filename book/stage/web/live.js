// The live panel: a visitor's own wire, moment by moment.

/** The panel keeps this many moments; the transcript as text has more. */
const SHOWN = 400;

/** @typedef {{ at: number, place: string, exchange: number | null, kind: string, words: string, headers: string[], text: string }} Moment */

const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const panel = /** @type {HTMLElement} */ (document.querySelector('.stage-wire'));
const [list, log, said, pause] = ['moments', 'log', 'said', 'pause'].map(find);
const frame = /** @type {HTMLIFrameElement} */ (find('lab'));

/** @type {Moment[]} moments that wait for the next frame, or for the end of the pause */
let waiting = [];
let drawing = false;
let paused = false;
let count = 0;

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
  what.append(moment.words);
  for (const header of moment.headers) what.append(' ', part('span', 'header', header));
  item.append(what);
  return item;
}

function draw() {
  drawing = false;
  if (paused || waiting.length === 0) return;
  const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  list.append(...waiting.slice(-SHOWN).map(line));
  waiting = [];
  while (list.children.length > SHOWN) list.firstElementChild?.remove();
  if (follows) log.scrollTop = log.scrollHeight;
  find('empty').hidden = true;
  tellCount();
}

function drawSoon() {
  if (drawing) return;
  drawing = true;
  // A hidden page is given no frames; it draws when it is seen again.
  requestAnimationFrame(draw);
}

function tellCount() {
  find('count').textContent = paused && waiting.length > 0 ? `${waiting.length} waiting` : `${count} moments`;
}

/** @type {number | undefined} */
let telling;
/** What a screen reader is told: turning points only, never the flood. @param {string} words */
function tell(words) {
  clearTimeout(telling);
  telling = setTimeout(() => { said.textContent = words; }, 300);
}

const source = new EventSource(`-/wire?${panel.dataset.start}`);
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
source.addEventListener('open', () => panel.classList.remove('is-lost'));
source.addEventListener('error', () => {
  panel.classList.add('is-lost');
  tell('The stage is out of reach; the panel tries again.');
});
addEventListener('pagehide', () => source.close());
addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });

pause.hidden = false;
pause.addEventListener('click', () => {
  paused = !paused;
  pause.setAttribute('aria-pressed', String(paused));
  pause.textContent = paused ? 'Go on' : 'Pause';
  tellCount();
  drawSoon();
});

const again = find('again');
again.hidden = false;
again.addEventListener('click', () => frame.contentWindow?.location.reload());

// Where the market can be closed, one of the two buttons is there at a time.
const [closing, opening] = ['close', 'open'].map((id) => document.getElementById(id));
/** @param {boolean} isClosed */
function market(isClosed) {
  if (closing) closing.hidden = isClosed;
  if (opening) opening.hidden = !isClosed;
}
market(panel.dataset.market === 'closed');

/** @param {HTMLFormElement} form @param {HTMLElement | null} by the button it was sent by */
function send(form, by = null) {
  const body = new URLSearchParams();
  for (const [name, value] of new FormData(form, by)) body.append(name, String(value));
  return fetch(form.action, { method: 'POST', headers: { accept: 'text/plain' }, body }).catch(() => null);
}

for (const form of document.querySelectorAll('form')) {
  if (form.closest('#weather')) continue;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const focused = form.contains(document.activeElement);
    const response = await send(form);
    if (!response?.ok) return tell(response ? await response.text() : 'The stage is out of reach.');
    if (form.dataset.said) {
      find('hint').textContent = form.dataset.said;
      tell(form.dataset.said);
    }
    if (form === closing || form === opening) market(form === closing);
    // The button that was pressed has gone; the one in its place takes the focus.
    if (focused && form.hidden) (form === closing ? opening : closing)?.querySelector('button')?.focus();
  });
}

// The weather: what is ordered stays in the fields, and in the few words beside the group's name.
const weather = /** @type {HTMLFormElement} */ (document.querySelector('#weather form'));
const fine = find('weather-said').textContent ?? '';

/** @param {HTMLElement | null} by */
async function order(by) {
  if (by?.getAttribute('name') === 'clear') {
    for (const field of weather.querySelectorAll('input')) {
      field.checked = false;
      if (field.type === 'number') field.value = '';
    }
  }
  const response = await send(weather, by);
  if (response?.ok) {
    find('weather-now').textContent = await response.text();
    find('weather-said').textContent = fine;
    return;
  }
  const words = response ? await response.text() : 'The stage is out of reach: the weather is as it was.';
  find('weather-said').textContent = words;
  tell(words);
}
weather.addEventListener('submit', (event) => {
  event.preventDefault();
  order(event.submitter);
});
// A tick is meant at once: to hold and to let go is a matter of the moment.
weather.addEventListener('change', (event) => {
  if (/** @type {HTMLInputElement} */ (event.target).type === 'checkbox') weather.requestSubmit();
});
