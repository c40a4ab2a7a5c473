// The race's page: starts the five, lets the market pause and the line be cut, and keeps the board.

import { Row, drawHeads, size, time, whole } from './race-board.js';
import { Clock } from './race-clock.js';
import { Lane, Tape } from './race-lane.js';
import { Crowd, drawSlots } from './race-limit.js';
import { runners } from './race-runners.js';

/** @typedef {import('./race-runners.js').Technique} Technique */
/** @typedef {import('./race-lane.js').Update} Update */

/** @type {[Technique, string][]} */
const TECHNIQUES = [
  ['fetch', 'Short polling'],
  ['poll', 'Long polling'],
  ['sse', 'Server-Sent Events'],
  ['stream', 'Streaming fetch'],
  ['ws', 'WebSocket'],
];
/** Between two questions for the stage's counts, and between two drawings of the board: milliseconds. */
const ASK = 1_000;
const DRAW = 250;
/** How long the market waits for the five to be on the line. */
const MARKS = 1_500;

const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const field = (/** @type {string} */ id) => /** @type {HTMLSelectElement} */ (find(id));
const predict = /** @type {HTMLFormElement} */ (find('predict'));
const [said, pause, limit] = ['said', 'pause', 'limit'].map(find);

drawHeads(find('heads'));
const rows = new Map(TECHNIQUES.map(([mark, name]) => [mark, new Row(mark, name, find('board'))]));
/** @param {Technique} mark */
const row = (mark) => /** @type {Row} */ (rows.get(mark));

/** A race, from its start to its end. */
class Race {
  clock = new Clock();
  tape = new Tape();
  crowd = new Crowd();
  over = new AbortController();
  /** When the stage's counts last came. */
  heard = performance.now();
  /** How many updates there were when the line was last cut. */
  cuts = 0;
  /** What waits for the next frame. @type {{ row: Row, update: Update }[]} */
  #waiting = [];
  /** Ends short polling alone, so that it can begin anew at another pace. */
  #polling = new AbortController();

  /** @param {number} number @param {{ dear: string | null, loses: string[] }} expected */
  constructor(number, expected) {
    this.number = number;
    this.expected = expected;
    this.room = `/live/race/-/${number}`;
    for (const each of rows.values()) {
      each.lane = new Lane();
      each.count = null;
      each.counted({ requests: 0, connections: 0, to_server: 0, to_client: 0 });
      each.anew();
      each.state = 'connecting';
    }
  }

  /** @param {Technique} mark */
  run(mark) {
    const each = row(mark);
    const own = mark === 'fetch' ? [this.#polling.signal] : [];
    const signal = AbortSignal.any([this.over.signal, ...own]);
    runners[mark]({
      url: new URL(`${this.room}/${mark}`, location.href).href,
      every: Number(field('every').value),
      show: (update) => this.#show(each, update),
      state: (state) => { if (!signal.aborted) each.state = state; },
      signal,
    });
  }

  pollAnew() {
    this.#polling.abort();
    this.#polling = new AbortController();
    this.run('fetch');
  }

  /** @param {Row} each @param {Update} update */
  #show(each, update) {
    if (this.over.signal.aborted) return;
    this.tape.knows(update);
    each.lane.shows(update, performance.now());
    // A hidden page draws nothing: how late it would have been is not known.
    if (document.hidden) return;
    this.#waiting.push({ row: each, update });
    if (this.#waiting.length === 1) requestAnimationFrame(() => this.#draw());
  }

  /** The frame in which everything that has come is drawn. */
  #draw() {
    const now = this.clock.at(performance.now());
    for (const { row: each, update } of this.#waiting) each.lane.latencies.add(now - update.at);
    this.#waiting = [];
    this.drawNow();
  }

  hides() {
    this.#waiting = [];
  }

  drawNow() {
    const now = this.clock.at(performance.now());
    for (const each of rows.values()) {
      const since = each.lane.now && this.tape.outdated(each.lane.now.number);
      each.drawNow(since === null ? null : now - since);
    }
  }

  /** Asks the stage for its counts and for its time. */
  async ask() {
    const asked = performance.now();
    const answer = await fetch(`${this.room}/numbers`, { signal: this.over.signal }).catch(() => null);
    const heard = performance.now();
    if (this.over.signal.aborted) return;
    if (!answer) return say('The stage is out of reach: its counts stand still.', 'lost');
    if (!answer.ok) return finish(await answer.text());
    const numbers = await answer.json();
    this.clock.hears(asked, heard, numbers.now);
    this.heard = heard;
    for (const [mark, each] of rows) each.counted(numbers[mark]);
    find('own').textContent = `${whole(numbers.own.requests)} requests, ${size(numbers.own.to_server + numbers.own.to_client)}`;
    find('clock').textContent = `± ${time(this.clock.uncertainty)}`;
    if (said.dataset.about === 'lost') say('');
  }

  /** @param {string} room @param {Record<string, string>} form */
  async order(room, form) {
    const body = new URLSearchParams(form);
    const answer = await fetch(`${this.room}/${room}`, { method: 'POST', body, signal: this.over.signal }).catch(() => null);
    if (this.over.signal.aborted) return null;
    if (answer?.ok) return answer.json();
    if (answer?.status === 410 || answer?.status === 403) finish(await answer.text());
    else say(answer ? await answer.text() : 'The stage is out of reach: that was not done.');
    return null;
  }

  /** From here on the bytes of an update are counted anew: what came before was another workload. */
  async anew() {
    await this.ask();
    for (const each of rows.values()) each.anew();
  }

  async keepAsking() {
    while (!this.over.signal.aborted) {
      await this.ask();
      await new Promise((resolve) => setTimeout(resolve, ASK));
    }
  }
}

/** @type {Race | null} */
let race = null;

/** @param {string} words @param {string} about */
function say(words, about = '') {
  said.textContent = words;
  said.dataset.about = about;
}

/** The race is over. @param {string} words why, if somebody should know */
function finish(words) {
  stop();
  for (const each of rows.values()) each.state = 'over';
  for (const id of ['pause', 'cut', 'limit', 'pace', 'payload', 'every']) field(id).disabled = true;
  say(words);
  said.scrollIntoView({ block: 'nearest' });
}

/** What one expected, from the form; nothing where it was left as it was. */
function expected() {
  const form = new FormData(predict);
  const dear = form.get('dear');
  return { dear: dear === null ? null : String(dear), loses: form.getAll('loses').map(String) };
}

/** Nothing of the race that is on goes on. */
function stop() {
  race?.over.abort();
  race?.crowd.leave();
  race = null;
}

async function start() {
  stop();
  const settings = { pace: field('pace').value, payload: field('payload').value, paused: 'on' };
  const answer = await fetch('/live/race/-/begin', { method: 'POST', body: new URLSearchParams(settings) }).catch(() => null);
  if (!answer?.ok) {
    return finish(answer ? await answer.text() : 'The stage is out of reach: no race has begun.');
  }
  predict.hidden = true;
  find('running').hidden = false;
  document.body.dataset.running = '';
  const now = new Race((await answer.json()).race, expected());
  race = now;
  say('');
  for (const id of ['pause', 'cut', 'limit', 'pace', 'payload', 'every']) field(id).disabled = false;
  paused(false);
  limited(false);
  draw(now);
  // Several questions to begin with: the quickest of them tells the time best.
  for (let asked = 0; asked < 5 && race === now; asked += 1) await now.ask();
  if (race !== now) return;
  for (const [mark] of TECHNIQUES) now.run(mark);
  const ready = () => row('sse').state === 'live' && row('ws').state === 'live';
  for (let waited = 0; waited < MARKS && !ready(); waited += 50) await new Promise((resolve) => setTimeout(resolve, 50));
  if (race !== now) return;
  await now.order('set', { paused: 'off' });
  now.keepAsking();
}

let starting = false;
/** Once at a time, however often somebody presses. */
async function startOnce() {
  if (starting) return;
  starting = true;
  await start();
  starting = false;
}

/** @param {boolean} is */
function paused(is) {
  pause.setAttribute('aria-pressed', String(is));
  pause.textContent = is ? 'Let the market go on' : 'Pause the market';
}

/** @param {boolean} is */
function limited(is) {
  limit.setAttribute('aria-pressed', String(is));
  limit.textContent = is ? 'Let them go' : 'Run into the limit';
}

/** Names, as a sentence has them. @param {string[]} names */
const list = (names) => (names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`);
/** @param {string[]} marks */
const named = (marks) => list(TECHNIQUES.filter(([mark]) => marks.includes(mark)).map(([, name]) => name));

/** What was expected, beside what came of it. @param {Race} now */
function recall(now) {
  const told = [];
  const { dear, loses } = now.expected;
  const prices = [...rows.values()].flatMap((each) => (each.price === null ? [] : [{ name: each.name, price: each.price }]));
  if (prices.length === TECHNIQUES.length) {
    prices.sort((one, two) => two.price - one.price);
    const last = prices[prices.length - 1];
    const you = dear === null ? '' : ` You expected: ${named([dear])}.`;
    told.push(`Most bytes an update so far: ${prices[0].name}, ${whole(prices[0].price)}. Fewest: ${last.name}, ${whole(last.price)}.${you}`);
  }
  if (now.cuts > 0) {
    const all = [...rows.values()];
    const lost = all.filter((each) => each.lane.cut?.back != null && each.lane.cut.lost > 0);
    const away = all.filter((each) => each.lane.cut?.back === null);
    const you = loses.length === 0 ? '' : ` You expected: ${named(loses)}.`;
    const losses = lost.length === 0 ? 'nobody' : list(lost.map((each) => `${each.name} (${whole(each.lane.cut?.lost ?? 0)})`));
    told.push(away.length > 0
      ? `After the cut, not back yet: ${list(away.map((each) => each.name))}.`
      : `In the cut updates were lost by: ${losses}.${you}`);
  }
  const place = find('recall');
  if (place.textContent === told.join('')) return;
  place.replaceChildren(...told.map((words) => {
    const item = document.createElement('li');
    item.textContent = words;
    return item;
  }));
}

/** @param {Race} now */
function draw(now) {
  now.drawNow();
  for (const each of rows.values()) each.draw();
  recall(now);
  /** @param {Technique[]} marks */
  const live = (...marks) => marks.map(row).filter((each) => each.state === 'live').map(({ name, mark }) => ({ name, mark }));
  const silence = (performance.now() - now.heard - ASK) / 1_000;
  drawSlots(find('slots'), find('limit-said'), { held: live('sse', 'stream'), between: live('poll'), crowd: now.crowd, silence });
}

setInterval(() => { if (race) draw(race); }, DRAW);

predict.addEventListener('submit', (event) => {
  event.preventDefault();
  startOnce().then(() => { if (document.activeElement === document.body) pause.focus(); });
});
find('again').addEventListener('click', startOnce);
pause.addEventListener('click', async () => {
  const settings = await race?.order('set', { paused: pause.getAttribute('aria-pressed') === 'true' ? 'off' : 'on' });
  if (settings) paused(settings.paused);
});
find('cut').addEventListener('click', async () => {
  const now = race;
  if (!now) return;
  const asked = performance.now();
  const told = await now.order('cut', { seconds: '3' });
  if (!told) return;
  now.cuts += 1;
  for (const each of rows.values()) each.lane.isCut(told.head, asked);
  say(`${told.lines} lines were cut after update ${whole(told.head)}. For ${told.seconds} s nobody gets a new one.`);
});
for (const name of ['pace', 'payload']) {
  field(name).addEventListener('change', async () => {
    if (await race?.order('set', { [name]: field(name).value })) await race?.anew();
  });
}
field('every').addEventListener('change', async () => {
  race?.pollAnew();
  await race?.anew();
});
limit.addEventListener('click', () => {
  if (!race) return;
  if (race.crowd.size > 0) race.crowd.leave();
  else race.crowd.come(`${race.room}/more/prices/stream`);
  limited(race.crowd.size > 0);
});

document.addEventListener('visibilitychange', () => race?.hides());
addEventListener('pagehide', () => {
  if (!race) return;
  const { room } = race;
  stop();
  navigator.sendBeacon(`${room}/end`);
});
addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
predict.hidden = false;
