/**
 * The lab's page: it shows what `client.js` tells it. Nothing to do here.
 */
import { longPoll } from './client.js';

/** How many fills stay on the page. */
const ROWS = 8;

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const stop = /** @type {HTMLButtonElement} */ (byId('stop'));
const start = /** @type {HTMLButtonElement} */ (byId('start'));

const words = { connecting: 'connecting …', live: 'live', reconnecting: 'reconnecting …', missed: 'some were missed' };

/** The last fill that was shown: where to go on after a stop. */
let seen = 0;
let count = 0;

/** @param {import('./client.js').Update} update */
function show({ seq, data: { symbol, price } }) {
  if (seq > seen + 1) gap(`${seq - seen - 1} missed`);
  seen = seq;
  const row = document.createElement('tr');
  const name = document.createElement('th');
  name.scope = 'row';
  name.textContent = symbol;
  const [number, paid] = [document.createElement('td'), document.createElement('td')];
  number.textContent = String(seq);
  paid.textContent = String(price);
  paid.className = 'number';
  row.append(number, name, paid);
  add(row);
  count += 1;
  byId('count').textContent = `${count} ${count === 1 ? 'fill' : 'fills'} so far`;
}

/** A hole in the numbers shows as a hole in the table. @param {string} message */
function gap(message) {
  const row = document.createElement('tr');
  const cell = document.createElement('td');
  cell.colSpan = 3;
  cell.textContent = `… ${message}`;
  row.append(cell);
  add(row);
}

/** @param {HTMLTableRowElement} row */
function add(row) {
  const fills = byId('fills');
  fills.prepend(row);
  while (fills.children.length > ROWS) fills.lastElementChild?.remove();
}

/** @param {keyof typeof words} state */
function status(state) {
  byId('state').dataset.state = state;
  byId('state').textContent = words[state] ?? state;
  if (state === 'missed') {
    gap('some fills were missed');
    // The numbers may have started again.
    seen = Infinity;
  }
}

/** A TODO that nobody has begun says so, instead of breaking the page in silence. @param {unknown} error */
function missing(error) {
  const message = error instanceof Error ? error.message : String(error);
  const todo = byId('todo');
  todo.hidden = false;
  todo.textContent = /^TODO \d+/.test(message) ? `${message} in web/client.js is not started.` : message;
}

/** @type {AbortController} */
let watching;

function watch() {
  watching = new AbortController();
  stop.disabled = false;
  start.disabled = true;
  status('connecting');
  try {
    longPoll({ url: 'updates', after: Number.isFinite(seen) ? seen : 0, show, status, signal: watching.signal });
  } catch (error) {
    missing(error);
  }
}

window.addEventListener('error', (event) => missing(event.error));
window.addEventListener('unhandledrejection', (event) => missing(event.reason));
start.addEventListener('click', watch);
stop.addEventListener('click', () => {
  watching.abort();
  stop.disabled = true;
  start.disabled = false;
  byId('state').dataset.state = 'stopped';
  byId('state').textContent = 'stopped';
});
watch();
