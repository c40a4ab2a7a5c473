/**
 * The lab's page: it shows what `client.js` tells it. Nothing to do here.
 */
import { ask } from './client.js';

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const form = /** @type {HTMLFormElement} */ (byId('form'));
const question = /** @type {HTMLInputElement} */ (byId('question'));
const start = /** @type {HTMLButtonElement} */ (byId('ask'));
const stop = /** @type {HTMLButtonElement} */ (byId('stop'));
const answer = byId('answer');

/** The lab's demo password. A real page would know its user, and no secret. */
const TOKEN = 'demo';

const words = {
  live: 'answering …',
  closed: 'finished',
  stopped: 'stopped',
  failed: 'failed',
  truncated: 'not complete',
  broken: 'broken',
};

/** The look has its own names for what goes on and for what is over. @type {Record<string, keyof typeof words>} */
const looks = { answering: 'live', finished: 'closed' };

/** @param {string} state */
function status(state) {
  const look = looks[state] ?? /** @type {keyof typeof words} */ (state);
  byId('state').dataset.state = look;
  byId('state').textContent = words[look] ?? state;
}

let count = 0;

/** @param {string} token */
function show(token) {
  const wasAtEnd = answer.scrollHeight - answer.scrollTop - answer.clientHeight < 8;
  // The words of an answer bring their blanks along; each line of a commentary stands alone.
  answer.append(token.startsWith('{') && answer.textContent ? `\n${token}` : token);
  if (wasAtEnd) answer.scrollTop = answer.scrollHeight;
  count += 1;
  counted();
}

function counted() {
  byId('count').textContent = `${count} ${count === 1 ? 'token' : 'tokens'} shown`;
}

/** How many tokens the server has made: the number that costs money. */
async function bill() {
  const response = await fetch('tokens').catch(() => null);
  if (!response?.ok) return;
  const { tokens } = await response.json();
  byId('tokens').textContent = `${tokens} ${tokens === 1 ? 'token' : 'tokens'}`;
}

/** A TODO that nobody has begun says so, instead of breaking the page in silence. @param {unknown} error */
function missing(error) {
  const message = error instanceof Error ? error.message : String(error);
  const todo = byId('todo');
  todo.hidden = false;
  todo.textContent = /^TODO \d+/.test(message) ? `${message} in web/client.js is not started.` : message;
}

/**
 * One button takes the other's place, and the focus if that had it.
 *
 * @param {HTMLButtonElement} from
 * @param {HTMLButtonElement} to
 */
function swap(from, to) {
  to.disabled = false;
  if (document.activeElement === from) to.focus();
  from.disabled = true;
}

/** Of the question that is being answered. */
let asking = new AbortController();

async function asked() {
  asking = new AbortController();
  const { signal } = asking;
  swap(start, stop);
  byId('todo').hidden = true;
  answer.textContent = '';
  count = 0;
  counted();
  status('answering');
  try {
    const { outcome } = await ask(question.value, { url: 'ask', token: TOKEN, onToken: show, signal });
    status(outcome);
  } catch (error) {
    status('broken');
    missing(error);
  }
  swap(stop, start);
  await bill();
  // A second later nothing has been added, or the server goes on for nobody.
  setTimeout(bill, 1_000);
}

window.addEventListener('error', (event) => missing(event.error));
window.addEventListener('unhandledrejection', (event) => missing(event.reason));
form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (!start.disabled) asked();
});
stop.addEventListener('click', () => asking.abort());
bill();
