// What somebody expected, in a sentence beside what came of it.

import { whole } from './race-board.js';

/** @typedef {import('./race-board.js').Row} Row */
/** @typedef {import('./race-run.js').Race} Race */

/** Names, as a sentence has them. @param {string[]} names */
const list = (names) => (names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`);

/** @param {Row[]} rows @param {string[]} marks */
function youExpected(rows, marks) {
  const names = rows.filter((row) => marks.includes(row.mark)).map((row) => row.name);
  return names.length === 0 ? '' : ` You expected: ${list(names)}.`;
}

/** @param {Row[]} rows @param {string | null} dear */
function ofBytes(rows, dear) {
  const prices = rows.flatMap((row) => (row.price === null ? [] : [{ name: row.name, price: row.price }]));
  if (prices.length < rows.length) return [];
  prices.sort((one, two) => two.price - one.price);
  const [most, fewest] = [prices[0], prices[prices.length - 1]];
  return [`Most bytes an update so far: ${most.name}, ${whole(most.price)}. Fewest: ${fewest.name}, ${whole(fewest.price)}.${youExpected(rows, dear === null ? [] : [dear])}`];
}

/** @param {Row[]} rows @param {string[]} loses */
function ofTheCut(rows, loses) {
  const away = rows.filter((row) => row.lane.cut?.back === null);
  if (away.length > 0) return [`After the cut, not back yet: ${list(away.map((row) => row.name))}.`];
  const lost = rows.filter((row) => row.lane.cut && row.lane.cut.lost > 0);
  const losses = lost.length === 0 ? 'nobody' : list(lost.map((row) => `${row.name} (${whole(row.lane.cut?.lost ?? 0)})`));
  return [`In the cut updates were lost by: ${losses}.${youExpected(rows, loses)}`];
}

/** Draws the sentences where they have changed. @param {HTMLElement} place @param {Race} race */
export function drawRecall(place, race) {
  const rows = [...race.rows.values()];
  const { dear, loses } = race.expected;
  const told = [...ofBytes(rows, dear), ...(race.cuts > 0 ? ofTheCut(rows, loses) : [])];
  if (place.textContent === told.join('')) return;
  place.replaceChildren(...told.map((words) => {
    const item = document.createElement('li');
    item.textContent = words;
    return item;
  }));
}
