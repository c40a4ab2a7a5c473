/**
 * The lab's page: it shows what `client.js` tells it. Nothing to do here.
 */
import { watchPrices } from './client.js';

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const stop = /** @type {HTMLButtonElement} */ (byId('stop'));
const start = /** @type {HTMLButtonElement} */ (byId('start'));

const words = { connecting: 'connecting …', live: 'live', reconnecting: 'reconnecting …', closed: 'the market is closed' };

/** @type {Map<string, { row: HTMLTableRowElement, price: number }>} */
const rows = new Map();
let count = 0;

/** @param {import('./client.js').Price} price */
function show({ symbol, price }) {
  const known = rows.get(symbol);
  const row = known?.row ?? document.createElement('tr');
  const move = price - (known?.price ?? price);
  if (!known) {
    const name = document.createElement('th');
    name.scope = 'row';
    name.textContent = symbol;
    row.append(name, document.createElement('td'), document.createElement('td'));
    for (const cell of row.querySelectorAll('td')) cell.className = 'number';
    byId('prices').append(row);
  }
  const [now, moved] = row.querySelectorAll('td');
  now.textContent = String(price);
  moved.textContent = move > 0 ? `▲ ${move}` : move < 0 ? `▼ ${-move}` : '·';
  moved.dataset.move = move > 0 ? 'up' : move < 0 ? 'down' : 'none';
  rows.set(symbol, { row, price });
  count += 1;
  byId('count').textContent = `${count} ${count === 1 ? 'price' : 'prices'} so far`;
}

/** @param {keyof typeof words} state */
function status(state) {
  byId('state').dataset.state = state;
  byId('state').textContent = words[state] ?? state;
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
    watchPrices({ url: 'prices/stream', show, status, signal: watching.signal });
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
