/**
 * The lab's page: it shows what `client.js` tells it. Nothing to do here.
 */
import { joinFloor, line } from './client.js';

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @param {string} id */
const input = (id) => /** @type {HTMLInputElement} */ (byId(id));
/** @param {string} id */
const button = (id) => /** @type {HTMLButtonElement} */ (byId(id));

const words = { connecting: 'connecting …', live: 'live', reconnecting: 'reconnecting …', closed: 'closed' };
/** The oldest lines make room for new ones. */
const MOST_LINES = 500;

/** @type {string[]} */
let members = [];
/** @type {Map<string, { item: HTMLElement, price: number }>} */
const prices = new Map();
/** @type {ReturnType<typeof joinFloor> | undefined} */
let floor;

/** @param {HTMLElement} item @param {string} [kind] */
function add(item, kind) {
  const talk = byId('talk');
  const isAtEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 40;
  if (kind) item.classList.add(kind);
  talk.append(item);
  while (talk.childElementCount > MOST_LINES) talk.firstElementChild?.remove();
  // Somebody who reads what was said earlier is left in peace.
  if (isAtEnd) talk.scrollTop = talk.scrollHeight;
}

/** @param {{ symbol: string, price: number }} data */
function showPrice({ symbol, price }) {
  const known = prices.get(symbol);
  const item = known?.item ?? document.createElement('li');
  const move = price - (known?.price ?? price);
  item.textContent = `${symbol} ${price} ${move > 0 ? '▲' : move < 0 ? '▼' : '·'}`;
  item.dataset.move = move > 0 ? 'up' : move < 0 ? 'down' : 'none';
  if (!known) byId('prices').append(item);
  prices.set(symbol, { item, price });
}

function showMembers() {
  byId('members').textContent = members.length === 0 ? '' : `In this room: ${members.join(', ')}`;
}

/** @param {import('./client.js').Message} message */
function show(message) {
  switch (message.type) {
    case 'said':
      add(line(message.from, message.text), message.from === input('name').value ? 'mine' : undefined);
      break;
    case 'price':
      showPrice(message.data);
      break;
    case 'joined':
      members = message.members;
      showMembers();
      break;
    case 'entered':
      members = [...members, message.name];
      showMembers();
      add(line(message.name, 'has entered.'), 'news');
      break;
    case 'left':
      members = members.toSpliced(members.indexOf(message.name), 1);
      showMembers();
      add(line(message.name, 'has left.'), 'news');
      break;
    case 'error':
      add(line('The floor', message.reason), 'news');
  }
}

/** @param {keyof typeof words} state */
function status(state) {
  byId('state').dataset.state = state;
  byId('state').textContent = words[state] ?? state;
  if (state === 'closed') outside('closed');
}

/** A TODO that nobody has begun says so, instead of breaking the page in silence. @param {unknown} error */
function missing(error) {
  const message = error instanceof Error ? error.message : String(error);
  const todo = byId('todo');
  todo.hidden = false;
  todo.textContent = /^TODO \d+/.test(message) ? `${message} in web/client.js is not started.` : message;
}

/** @param {boolean} isInside */
function turn(isInside) {
  for (const id of ['name', 'room']) input(id).disabled = isInside;
  button('join').disabled = isInside;
  button('leave').disabled = !isInside;
  input('text').disabled = !isInside;
  button('say').disabled = !isInside;
}

/** @param {string} word */
function outside(word) {
  byId('state').dataset.state = 'stopped';
  byId('state').textContent = word;
  floor = undefined;
  members = [];
  turn(false);
  showMembers();
}

byId('door').addEventListener('submit', (event) => {
  event.preventDefault();
  if (floor) return;
  status('connecting');
  turn(true);
  input('text').focus();
  try {
    floor = joinFloor({
      url: new URL('floor', document.baseURI).href.replace(/^http/, 'ws'),
      room: input('room').value,
      name: input('name').value,
      show,
      status,
      signal: new AbortController().signal,
    });
  } catch (error) {
    missing(error);
    outside('not joined');
  }
});
byId('leave').addEventListener('click', () => {
  floor?.leave();
  outside('you have left');
  input('name').focus();
});
byId('mouth').addEventListener('submit', (event) => {
  event.preventDefault();
  try {
    floor?.say(input('text').value);
    input('text').value = '';
  } catch (error) {
    // What the client refuses is not lost: the words stay in the field.
    missing(error);
  }
});
window.addEventListener('error', (event) => missing(event.error));
window.addEventListener('unhandledrejection', (event) => missing(event.reason));

// A name to begin with; everybody may have another.
input('name').value = `Trader ${10 + Math.floor(Math.random() * 90)}`;
