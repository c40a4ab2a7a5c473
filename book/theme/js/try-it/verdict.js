// @ts-check
/**
 * What the bench says of a client, in the words of `cargo test`, and beside it what was expected and what happened.
 */
import { button, drawn, el, words as worded } from './dom.js';

/**
 * @typedef {import('../../../playground/bench.js').Graded} Graded
 * @typedef {import('../../../playground/bench.js').Recorded} Recorded
 * @typedef {import('../../../playground/bench.js').Pair} Pair
 * @typedef {import('../../../playground/playground.js').Playground} Playground
 */

/** Where a verdict says that something happened: `client.js:12:5`. */
const PLACE = /\bclient\.js:(\d+)(?::(\d+))?/;

/**
 * The place in the client that a verdict names, with what it says of it.
 *
 * @param {Graded} graded
 * @returns {import('./field.js').Problem | null}
 */
export function placeIn({ verdict, lines }) {
  if (verdict !== 'failed') return null;
  const paragraph = said(lines, HAPPENED);
  const place = PLACE.exec(paragraph);
  if (!place) return null;
  const words = paragraph.slice(place.index + place[0].length).replace(/^:\s*/, '');
  return { line: Number(place[1]), column: Number(place[2] ?? 0), words: words || paragraph };
}

const HAPPENED = 'What happened';

/**
 * The paragraph under a label (`What happened`, `Try`), in one line.
 *
 * @param {Graded['lines']} lines
 * @param {string} label
 */
function said(lines, label) {
  const words = lines.map((line) => line.words);
  const from = words.findIndex((line) => line.trimStart().startsWith(`${label} `));
  if (from < 0) return '';
  const rest = words.slice(from + 1);
  const end = rest.findIndex((line) => !/^ {18}/.test(line));
  return [words[from].trim().slice(label.length), ...rest.slice(0, end < 0 ? rest.length : end)]
    .map((line) => line.trim()).join(' ').trim();
}

/**
 * One check's verdict.
 *
 * @param {Graded} graded
 * @param {boolean} isOpen
 * @param {(line: number) => void} go shows a line of the client
 */
export function verdict(graded, isOpen, go) {
  const { title, contract, file, line, lines, verdict: word } = graded;
  const named = placeIn(graded);
  const place = line === null ? file : `${file}:${line}`;
  const told = lines.length > 0
    ? el('pre', { class: 'try-told', tabindex: 0, role: 'region', 'aria-label': `${title} in the words of cargo test` },
        ...lines.map(({ voice, words }) => el('span', { class: `voice ${voice}` }, `${words}\n`)))
    : null;
  // Eighty columns do not fit a phone: what matters most of them stands there once more, as text that wraps.
  const wrapped = [HAPPENED, 'Try'].map((label) => [label, said(lines, label)]).filter(([, words]) => words)
    .map(([label, words]) => el('p', { class: 'try-wrapped' }, el('b', {}, `${label} `), ...worded(words)));
  const head = el('summary', {}, el('b', {}, title), ' ', ...worded(contract), ' ', el('small', {}, place));
  return el('details', { class: 'try-verdict', 'data-verdict': word, open: isOpen }, head,
    named && button(`To line ${named.line}`, () => go(named.line)), ...wrapped, told);
}

/**
 * The scene in which a check failed, as it should have been and as it was, side by side; nothing where there is
 * nothing to draw.
 *
 * @param {Playground} bench
 * @param {Graded} graded
 * @param {string} id
 * @returns {Promise<HTMLElement | null>}
 */
export async function sceneOf(bench, graded, id) {
  const scene = graded.verdict === 'failed' ? graded.scenes.find(({ holds }) => !holds) : undefined;
  if (!scene || !scene.transcript.trim()) return null;
  if (scene.expected === null || scene.expected === scene.transcript) {
    const picture = await bench.picture(tail(scene.transcript), `${id}-yours`, 'Yours');
    return el('figure', { class: 'exchange try-scene' }, side('Yours', picture), el('figcaption', {}, scene.says));
  }
  const pair = await bench.pair(scene.expected, scene.transcript, id);
  const sides = el('div', { class: 'try-pair' }, side('Expected', pair.expected), side('Yours', pair.yours));
  const player = document.createElement('wire-player');
  player.setAttribute('score', pair.score);
  player.setAttribute('rows', pair.rows);
  player.append(sides);
  const left = [
    pair.before > 0 && `${count(pair.before)} before, the same on both sides, ${pair.before === 1 ? 'is' : 'are'} left out.`,
    pair.after > 0 && `${count(pair.after)} after ${pair.after === 1 ? 'is' : 'are'} left out.`,
  ].filter(Boolean).join(' ');
  const figure = el('figure', { class: 'exchange try-scene' }, player,
    el('figcaption', {}, `${scene.says} A broken frame marks what only one side has. ${left}`));
  // The frames need to know how large the drawn is, so it must be in the page.
  requestAnimationFrame(() => markDifferences(sides, pair.rows));
  return figure;
}

/** @param {number} rows */
const count = (rows) => (rows === 1 ? 'One moment' : `${rows} moments`);

/** @param {string} name @param {import('../../../playground/bench.js').Drawn} picture */
function side(name, picture) {
  return el('div', { class: 'try-side' },
    el('p', { class: 'try-side-name' }, name),
    drawn('drawing', picture.svg),
    el('details', { class: 'in-words' }, el('summary', {}, 'The same in words'), drawn('', picture.list)));
}

const SVG = 'http://www.w3.org/2000/svg';

/** Frames in both drawings the moments that the other one lacks. @param {HTMLElement} sides @param {string} rows */
function markDifferences(sides, rows) {
  const drawings = [...sides.querySelectorAll('svg.wire')];
  for (const row of rows.split('\n')) {
    const indexes = row.split(' ');
    if (!indexes.includes('-')) continue;
    indexes.forEach((index, at) => {
      const moment = index === '-' ? undefined : drawings[at]?.querySelectorAll('g.moment')[Number(index)];
      if (!(moment instanceof SVGGraphicsElement)) return;
      const box = moment.getBBox();
      const frame = document.createElementNS(SVG, 'rect');
      frame.setAttribute('class', 'differs');
      for (const [name, value] of Object.entries({ x: box.x - 5, y: box.y - 1, width: box.width + 10, height: box.height + 4, rx: 5 })) {
        frame.setAttribute(name, String(Math.round(value)));
      }
      moment.prepend(frame);
    });
  }
}

/** The last moments of a transcript: a storm has thousands. @param {string} transcript */
function tail(transcript) {
  return moments(transcript).slice(-40).join('\n');
}

/** The moments of a transcript's text: a line that begins with a time, and those that follow it. @param {string} text */
export function moments(text) {
  /** @type {string[]} */
  const found = [];
  for (const line of text.split('\n')) {
    if (/^ *\d+(-\d+)? ms {2}/.test(line)) found.push(line);
    else if (found.length > 0 && line.trim()) found[found.length - 1] += `\n${line}`;
  }
  return found;
}
