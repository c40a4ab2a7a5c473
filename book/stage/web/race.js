// The race's page: what is pressed, and what is drawn of it.

import { Row, drawHeads, size, time, whole } from './race-board.js';
import { drawSlots } from './race-limit.js';
import { drawRecall } from './race-recall.js';
import { ASK, Race } from './race-run.js';

/** @typedef {import('./race-runners.js').Technique} Technique */

/** @type {[Technique, string][]} */
const TECHNIQUES = [
  ['fetch', 'Short polling'],
  ['poll', 'Long polling'],
  ['sse', 'Server-Sent Events'],
  ['stream', 'Streaming fetch'],
  ['ws', 'WebSocket'],
];
/** Between two drawings of the board: milliseconds. */
const DRAW = 250;
/** How long the market waits for the five to be on the line: milliseconds. */
const MARKS = 1_500;
/** What works while a race is on. */
const CONTROLS = ['pause', 'cut', 'limit', 'pace', 'payload', 'every'];

const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const field = (/** @type {string} */ id) => /** @type {HTMLSelectElement} */ (find(id));
const predict = /** @type {HTMLFormElement} */ (find('predict'));
const [said, pause, limit] = ['said', 'pause', 'limit'].map(find);
const every = () => Number(field('every').value);

drawHeads(find('heads'));
const rows = new Map(TECHNIQUES.map(([mark, name]) => [mark, new Row(mark, name, find('board'))]));
/** @param {Technique} mark */
const row = (mark) => /** @type {Row} */ (rows.get(mark));

/** @type {Race | null} */
let race = null;

/** @param {string} words @param {string} about */
function say(words, about = '') {
  said.textContent = words;
  said.dataset.about = about;
}

/** @param {boolean} can */
function enable(can) {
  for (const id of CONTROLS) field(id).disabled = !can;
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

/** @param {import('./race-run.js').Numbers} numbers */
function counted({ own }) {
  find('own').textContent = `${whole(own.requests)} requests, ${size(own.to_server + own.to_client)}`;
  if (race) find('clock').textContent = `± ${time(race.clock.uncertainty)}`;
  if (said.dataset.about === 'lost') say('');
}

const lost = () => say('The stage is out of reach: its counts stand still.', 'lost');

/** The race is over. @param {string} words why */
function finish(words) {
  race?.stop();
  race = null;
  for (const each of rows.values()) each.state = 'over';
  enable(false);
  say(words);
  said.scrollIntoView({ block: 'nearest' });
}

/** What one expected, from the form; nothing where it was left as it was. */
function expected() {
  const form = new FormData(predict);
  const dear = form.get('dear');
  return { dear: dear === null ? null : String(dear), loses: form.getAll('loses').map(String) };
}

async function start() {
  race?.stop();
  race = null;
  const settings = { pace: field('pace').value, payload: field('payload').value, paused: 'on' };
  const answer = await fetch('/live/race/-/begin', { method: 'POST', body: new URLSearchParams(settings) }).catch(() => null);
  if (!answer?.ok) return finish(answer ? await answer.text() : 'The stage is out of reach: no race has begun.');
  const { race: number } = await answer.json();
  const now = new Race(number, rows, expected(), { counted, refused: say, lost, over: finish });
  race = now;
  predict.hidden = true;
  find('running').hidden = false;
  document.body.dataset.running = '';
  say('');
  enable(true);
  paused(false);
  limited(false);
  draw(now);
  // Several questions to begin with: the quickest of them tells the time best.
  for (let asked = 0; asked < 5 && !now.isOver; asked += 1) await now.ask();
  if (now.isOver) return;
  for (const [mark] of TECHNIQUES) now.run(mark, every());
  const ready = () => row('sse').state === 'live' && row('ws').state === 'live';
  for (let waited = 0; waited < MARKS && !ready(); waited += 50) await new Promise((resolve) => setTimeout(resolve, 50));
  await now.order('set', { paused: 'off' });
  now.keepAsking();
}

let starting = false;
/** Once at a time, however often somebody presses. */
async function startOnce() {
  if (starting) return;
  starting = true;
  await start().finally(() => { starting = false; });
}

/** @param {Race} now */
function draw(now) {
  now.drawNow();
  for (const each of rows.values()) each.draw();
  drawRecall(find('recall'), now);
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
  const told = await race?.cut();
  if (!told) return;
  const cut = `${told.lines} lines were cut after update ${whole(told.head)}.`;
  say(`${cut} For ${told.seconds} s nobody gets a new one.`);
  const words = said.textContent;
  setTimeout(() => {
    if (said.textContent === words) say(`${cut} Now there are new ones: who comes back, and with what?`);
  }, told.seconds * 1_000);
});
for (const name of ['pace', 'payload']) {
  field(name).addEventListener('change', async () => {
    if (await race?.order('set', { [name]: field(name).value })) await race?.anew();
  });
}
field('every').addEventListener('change', () => {
  race?.pollAnew(every());
  race?.anew();
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
  race.stop();
  navigator.sendBeacon(`${race.room}/end`);
});
addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
predict.hidden = false;
