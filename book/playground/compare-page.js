// @ts-check
/**
 * The page of `compare.mjs --in`: opens the bench as a page of the book does,
 * asks it everything in its Worker, and tells Node what came out. `?2` in its
 * address: the bench is still to be opened twice more, by pages that have
 * fetched nothing, to see how long that takes.
 */
import { compare } from './compare.js';
import { Playground } from './playground.js';

/**
 * @param {'line' | 'opened' | 'end'} what
 * @param {unknown} value
 */
const tell = (what, value) => fetch(what, { method: 'POST', body: JSON.stringify(value) });

async function main() {
  const began = performance.now();
  const playground = await Playground.open();
  await tell('opened', performance.now() - began);
  const more = Number(location.search.slice(1));
  if (more > 1) {
    location.search = `?${more - 1}`;
    return;
  }
  const native = await (await fetch('native.json')).json();
  let told = Promise.resolve();
  const say = (/** @type {string} */ line) => {
    told = told.then(() => tell('line', line)).then(() => {});
  };
  const counts = await compare(playground, native, say);
  await told;
  await tell('end', counts);
}

main().catch((error) => tell('end', { error: String(error) }));
