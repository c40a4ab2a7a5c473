// The live page: the visitor's own wire, and what the lab and its line can be put through.

import { follow, teller } from './wire.js';

const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const panel = /** @type {HTMLElement} */ (document.querySelector('.stage-wire'));
const frame = /** @type {HTMLIFrameElement} */ (find('lab'));
const tell = teller(find('said'));

follow(panel, `-/wire?${panel.dataset.start}`, tell);
addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });

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
