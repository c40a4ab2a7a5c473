// On a page of the book that a stage serves: what the class hears. The instructor asks everyone to a page, or puts a
// question of this page to the class. While no class is on, this page asks for one now and then and is otherwise silent.

/** @typedef {{ name: string, page: string, id: string, stage: 'open' | 'shown' | 'revealed', answers: string[], mine: number | null, counts: number[] | null, right: number[] | null }} Question */
/** @typedef {{ number: number, path: string }} Call */

/** How long until a page asks again whether a class is on. */
const AGAIN = 20_000;

/** What this browser tab keeps, where it keeps anything. */
const memory = {
  /** @param {string} key */
  get(key) {
    try { return sessionStorage.getItem(`class-${key}`); } catch { return null; }
  },
  /** @param {string} key @param {string} value */
  set(key, value) {
    try { sessionStorage.setItem(`class-${key}`, value); } catch { /* Then it is asked again on the next page. */ }
  },
};

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {object} properties what it is given beside its children
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
function make(tag, properties, ...children) {
  const element = document.createElement(tag);
  Object.assign(element, properties);
  element.append(...children);
  return element;
}

// In place before it says anything, so that a screen reader hears it; near the start, so that the keyboard finds it.
const banner = make('div', { className: 'class-banner', hidden: true });
/** What is wrong with the stage itself, while something is. */
const store = make('p', { className: 'class-store' });
for (const part of [banner, store]) part.setAttribute('role', 'status');
(document.querySelector('.skip') ?? document.body.firstElementChild)?.after(make('div', { className: 'class-foot' }, store, banner));

/** A path of this stage in words: the chapter's title where the list of chapters has it. @param {string} path */
function called(path) {
  const target = new URL(path, location.href);
  for (const link of document.querySelectorAll('#contents a')) {
    if (link instanceof HTMLAnchorElement && new URL(link.href).pathname === target.pathname) return link.textContent ?? path;
  }
  return path;
}

/** @param {string} path */
const isHere = (path) => {
  const target = new URL(path, location.href);
  return target.pathname === location.pathname && (target.hash === '' || target.hash === location.hash);
};

/**
 * A call, or a question elsewhere, under a key by which it is heard once.
 * @param {'call' | 'question'} kind @param {string} key @param {string} path @param {string} words
 */
function invite(kind, key, path, words) {
  if (memory.get(kind) === key) return;
  const hear = () => memory.set(kind, key);
  const link = make('a', { href: path, onclick: hear }, called(path));
  const follow = make('input', { type: 'checkbox', onchange: () => {
    memory.set('follow', follow.checked ? 'yes' : 'no');
    if (follow.checked) { hear(); location.assign(path); }
  } });
  const dismiss = make('button', { type: 'button', onclick: () => { hear(); quiet(); } }, 'Not now');
  banner.replaceChildren(
    make('p', {}, words, ' ', link),
    make('label', {}, follow, ' From now on, take me there at once'),
    dismiss,
  );
  banner.hidden = false;
}

function quiet() {
  const focused = banner.contains(document.activeElement);
  banner.replaceChildren();
  banner.hidden = true;
  if (focused) document.getElementById('text')?.focus();
  if (memory.get('follow') !== 'yes') return;
  const stop = make('button', { type: 'button', onclick: () => { memory.set('follow', 'no'); quiet(); } }, 'Stop following');
  banner.replaceChildren(make('p', {}, 'You follow the class.'), stop);
  banner.hidden = false;
}

/** @param {Call | null} call @param {Question | null} question @param {string} era */
function told(call, question, era) {
  quiet();
  if (question && !document.getElementById(question.id)) {
    const path = `${new URL('.', location.href).pathname}${question.page}#${question.id}`;
    if (question.stage !== 'revealed') invite('question', `${era}-${question.name}`, path, 'The class is asked a question:');
  }
  if (!call) return;
  const key = `${era}-${call.number}`;
  if (isHere(call.path)) return memory.set('call', key);
  if (memory.get('follow') === 'yes' && memory.get('call') !== key) {
    memory.set('call', key);
    return location.assign(call.path);
  }
  invite('call', key, call.path, 'The instructor asks you to');
}

/** @type {HTMLElement | null} the ballot on this page */
let ballot = null;
/** What was predicted on this page before the class was asked, by the question's id. @type {Map<string, number>} */
const predicted = new Map();
document.addEventListener('predicted', (event) => {
  if (!(event instanceof CustomEvent)) return;
  const { id, answer } = event.detail ?? {};
  if (typeof id === 'string' && Number.isInteger(answer)) predicted.set(id, answer);
});

/** What the ballot shows, so that a vote that is being chosen is not swept away. */
let shown = '';

/** @param {Question | null} question */
function vote(question) {
  const now = JSON.stringify(question && { ...question, stage: question.stage === 'shown' ? 'open' : question.stage });
  if (now === shown) return;
  shown = now;
  const section = question && document.getElementById(question.id);
  const focused = [ballot, section].some((place) => place?.contains(document.activeElement));
  ballot?.closest('[data-asked]')?.removeAttribute('data-asked');
  ballot?.remove();
  ballot = null;
  if (!question || !section) return;
  const isOpen = question.stage !== 'revealed';
  ballot = isOpen ? form(question) : result(question);
  section.append(ballot);
  // Everyone is told the answer at once, when the class is: until then the page keeps it to itself.
  section.toggleAttribute('data-asked', isOpen);
  if (focused) (/** @type {HTMLElement | null} */ (ballot.querySelector('input:checked, input, [tabindex]')))?.focus();
}

/** @param {Question} question */
function form(question) {
  const chosen = question.mine ?? predicted.get(question.id);
  const choices = question.answers.map((answer, at) => {
    const input = make('input', { type: 'radio', name: 'answer', value: String(at + 1), required: true, checked: at === chosen });
    const words = make('span', {});
    words.innerHTML = answer;
    return make('label', {}, input, ' ', words);
  });
  const said = make('p', { className: 'said' });
  said.setAttribute('role', 'status');
  const button = make('button', {}, 'Vote');
  const counted = () => {
    button.textContent = 'Vote anew';
    said.textContent = 'Your vote is counted. You may change it until the answer is told.';
  };
  if (question.mine !== null) counted();
  const made = make('form', { className: 'class-ballot' },
    make('fieldset', {}, make('legend', {}, 'The class is asked: what do you say?'), ...choices), button, said);
  made.addEventListener('submit', async (event) => {
    event.preventDefault();
    const answer = String(new FormData(made).get('answer'));
    const body = new URLSearchParams({ question: question.name, answer });
    const answered = await fetch('/class/vote', { method: 'POST', body, headers: { accept: 'text/plain' } }).catch(() => null);
    if (!answered?.ok) {
      said.textContent = answered ? await answered.text() : 'The stage is out of reach: your vote is not counted.';
      return;
    }
    counted();
  });
  return made;
}

/** A bar, as the board draws it. @param {number} share of the longest one */
function bar(share) {
  const [drawn, filled] = ['svg', 'rect'].map((name) => document.createElementNS('http://www.w3.org/2000/svg', name));
  drawn?.setAttribute('aria-hidden', 'true');
  filled?.setAttribute('width', `${(share * 100).toFixed(1)}%`);
  filled?.setAttribute('height', '100%');
  drawn?.append(/** @type {Element} */ (filled));
  return /** @type {Element} */ (drawn);
}

/** @param {Question} question */
function result(question) {
  const counts = question.counts ?? [];
  const most = Math.max(1, ...counts);
  const rows = question.answers.map((answer, at) => {
    const words = make('span', {});
    words.innerHTML = answer;
    const isRight = question.right?.includes(at) ?? false;
    const row = make('li', {}, ...(isRight ? [make('strong', {}, '✓ Right'), ' '] : []), words, ...(question.mine === at ? [' (you)'] : []));
    if (isRight) row.dataset.right = '';
    const count = counts[at] ?? 0;
    row.append(make('div', {}, bar(count / most), make('b', {}, String(count))));
    return row;
  });
  return make('div', { className: 'class-ballot', tabIndex: -1 }, make('p', {}, 'How the class voted'), make('ol', {}, ...rows));
}

/** @type {EventSource | undefined} */
let source;
/** @type {number | undefined} */
let waiting;

async function listen() {
  clearTimeout(waiting);
  // A page that is not seen leaves its connection to those that are: a browser has six.
  if (document.hidden || source) return;
  // Asked first: a stream that is refused is an error on some browsers' consoles, and that no class is on is none.
  const answer = await fetch('/class/here', { method: 'HEAD' }).catch(() => null);
  if (document.hidden || source) return;
  if (answer?.status !== 200) return later();
  const stream = new EventSource('/class/here');
  source = stream;
  const hear = (/** @type {MessageEvent<string>} */ event) => {
    const { era, call, question, store: notice } = JSON.parse(event.data);
    if (store.textContent !== (notice ?? '')) store.textContent = notice ?? '';
    told(call, question, era);
    vote(question);
  };
  stream.addEventListener('class', hear);
  stream.addEventListener('over', (event) => { hear(event); stop(); later(); });
  stream.addEventListener('error', () => {
    if (stream.readyState === EventSource.CLOSED) { stop(); later(); }
  });
}

function stop() {
  source?.close();
  source = undefined;
}

function later() {
  clearTimeout(waiting);
  waiting = setTimeout(listen, AGAIN);
}

document.addEventListener('visibilitychange', () => (document.hidden ? stop() : listen()));
addEventListener('pagehide', stop);
addEventListener('pageshow', (event) => { if (event.persisted) listen(); });
listen();

export {};
