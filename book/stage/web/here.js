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
banner.setAttribute('role', 'status');
(document.querySelector('.skip') ?? document.body.firstElementChild)?.after(banner);

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

/** A call or a question elsewhere, under a name by which it is heard once. @param {string} key @param {string} path @param {string} words */
function invite(key, path, words) {
  if (memory.get('heard') === key) return;
  const hear = () => memory.set('heard', key);
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
    if (question.stage !== 'revealed') invite(`${era}-question-${question.name}`, path, 'The class is asked a question:');
  }
  if (!call) return;
  const key = `${era}-${call.number}`;
  if (isHere(call.path)) return memory.set('heard', key);
  if (memory.get('follow') === 'yes' && memory.get('heard') !== key) {
    memory.set('heard', key);
    return location.assign(call.path);
  }
  invite(key, call.path, 'The instructor asks you to');
}

/** @type {HTMLElement | null} the ballot on this page */
let ballot = null;
/** What the ballot shows, so that a vote that is being chosen is not swept away. */
let shown = '';

/** @param {Question | null} question */
function vote(question) {
  const now = JSON.stringify(question && { ...question, stage: question.stage === 'shown' ? 'open' : question.stage });
  if (now === shown) return;
  shown = now;
  const focused = ballot?.contains(document.activeElement) ?? false;
  ballot?.remove();
  ballot = null;
  const section = question && document.getElementById(question.id);
  if (!question || !section) return;
  ballot = question.stage === 'revealed' ? result(question) : form(question);
  section.append(ballot);
  if (focused) (/** @type {HTMLElement | null} */ (ballot.querySelector('input:checked, button')))?.focus();
}

/** @param {Question} question */
function form(question) {
  const choices = question.answers.map((answer, at) => {
    const input = make('input', { type: 'radio', name: 'answer', value: String(at + 1), required: true, checked: at === question.mine });
    const words = make('span', {});
    words.innerHTML = answer;
    return make('label', {}, input, ' ', words);
  });
  const said = make('p', { className: 'said' }, question.mine === null ? '' : 'Your vote is counted. You may change it until the answer is told.');
  said.setAttribute('role', 'status');
  const made = make('form', { className: 'class-ballot' },
    make('fieldset', {}, make('legend', {}, 'Your vote, with the class'), ...choices),
    make('button', {}, question.mine === null ? 'Vote' : 'Vote anew'), said);
  made.addEventListener('submit', async (event) => {
    event.preventDefault();
    const answer = String(new FormData(made).get('answer'));
    const body = new URLSearchParams({ question: question.name, answer });
    const answered = await fetch('/class/vote', { method: 'POST', body, headers: { accept: 'text/plain' } }).catch(() => null);
    if (!answered?.ok) {
      said.textContent = answered ? await answered.text() : 'The stage is out of reach: your vote is not counted.';
      return;
    }
    said.textContent = 'Your vote is counted. You may change it until the answer is told.';
  });
  return made;
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
    row.append(make('meter', { max: most, value: counts[at] ?? 0, ariaHidden: 'true' }), make('b', {}, String(counts[at] ?? 0)));
    return row;
  });
  return make('div', { className: 'class-ballot' }, make('p', {}, 'How the class voted'), make('ol', {}, ...rows));
}

/** @type {EventSource | undefined} */
let source;
/** @type {number | undefined} */
let waiting;

function listen() {
  clearTimeout(waiting);
  // A page that is not seen leaves its connection to those that are: a browser has six.
  if (document.hidden || source) return;
  const stream = new EventSource('/class/here');
  source = stream;
  const hear = (/** @type {MessageEvent<string>} */ event) => {
    const { call, question } = JSON.parse(event.data);
    told(call, question, event.lastEventId.split('-')[0] ?? '');
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
