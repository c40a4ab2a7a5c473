/**
 * The lab's page: it shows what `client.js` tells it. Nothing to do here.
 */
import { HttpError, placeOrder, poll } from './client.js';

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @param {string} id */
const field = (id) => /** @type {HTMLInputElement} */ (byId(id));
const stop = /** @type {HTMLButtonElement} */ (byId('stop'));
const start = /** @type {HTMLButtonElement} */ (byId('start'));
const every = /** @type {HTMLSelectElement} */ (byId('every'));

const words = { loading: 'loading …', fresh: 'fresh', stale: 'stale', error: 'no answer' };

/** @type {Map<string, { row: HTMLTableRowElement, price: number }>} */
const rows = new Map();
let count = 0;
/** Whether the client says what the shown value is worth. */
let isTold = false;

/** @param {import('./client.js').Update[]} prices */
function show(prices) {
  for (const { data } of prices) showPrice(data);
  count += 1;
  byId('count').textContent = `${count} ${count === 1 ? 'new answer' : 'new answers'} so far`;
  if (!isTold) missing(new Error('TODO 6'));
}

/** @param {import('./client.js').Price} price */
function showPrice({ symbol, price }) {
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
}

/**
 * @param {keyof typeof words} state
 * @param {unknown} [error]
 */
function status(state, error) {
  isTold = true;
  byId('state').dataset.state = state;
  byId('state').textContent = words[state] ?? state;
  // What went wrong is told once, not with every request that goes wrong in the same way.
  const told = byId('todo');
  const message = error === undefined ? '' : inWords(error);
  if (told.textContent !== message) told.textContent = message;
  told.hidden = message === '';
}

/** A TODO that nobody has begun says so, instead of breaking the page in silence. @param {unknown} error */
function missing(error) {
  const todo = byId('todo');
  todo.hidden = false;
  todo.textContent = inWords(error);
}

/** @param {unknown} error */
function inWords(error) {
  const message = error instanceof Error ? error.message : String(error);
  return /^TODO \d+/.test(message) ? `${message} in web/client.js is not started.` : message;
}

/** @type {AbortController} */
let polling = new AbortController();

function begin() {
  polling.abort();
  polling = new AbortController();
  stop.disabled = false;
  start.disabled = true;
  try {
    poll('prices', { every: Number(every.value), show, status, signal: polling.signal });
  } catch (error) {
    missing(error);
  }
}

// The order form: one key for one intention, however often the button is pressed.

/** A key that nobody else has. (`crypto.randomUUID` is there on secure pages only.) */
const draw = () => Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('');

/**
 * @param {string} text
 * @param {'good' | 'bad'} sort
 */
function log(text, sort) {
  const line = document.createElement('li');
  line.className = sort;
  line.textContent = text;
  byId('log').append(line);
  byId('log').scrollTop = byId('log').scrollHeight;
}

/** @param {SubmitEvent} event */
async function send(event) {
  event.preventDefault();
  const side = field('side').value === 'sell' ? 'sell' : 'buy';
  const order = { symbol: field('symbol').value, side, quantity: Number(field('quantity').value) };
  try {
    const done = await placeOrder('orders', /** @type {import('./client.js').Order} */ (order), byId('key').textContent ?? '');
    log(`201  order ${done.id}: ${done.side} ${done.quantity} ${done.symbol} at ${done.price}`, 'good');
  } catch (error) {
    log(error instanceof HttpError ? `${error.status}  ${inWords(error)}` : inWords(error), 'bad');
  }
}

const renew = () => (byId('key').textContent = draw());

window.addEventListener('error', (event) => missing(event.error));
window.addEventListener('unhandledrejection', (event) => missing(event.reason));
every.addEventListener('change', begin);
start.addEventListener('click', begin);
stop.addEventListener('click', () => {
  polling.abort();
  stop.disabled = true;
  start.disabled = false;
  byId('state').dataset.state = 'stopped';
  byId('state').textContent = 'stopped';
});
byId('order').addEventListener('submit', (event) => send(/** @type {SubmitEvent} */ (event)));
byId('renew').addEventListener('click', renew);
renew();
begin();
