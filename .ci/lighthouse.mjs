// Lighthouse on the static site, as a phone sees it, and the long tasks of a load on a processor four times slower.
//
//     node .ci/lighthouse.mjs [--times] SITE MODULES [PAGE …]
//
// SITE is what `cargo stage build --out SITE` wrote; MODULES is the node_modules folder that holds lighthouse@12. A
// score is the median of three runs, the longest task of five loads. Ends with an error when a score is beyond its
// limit. What depends on how busy the machine is, the performance and the longest task, is printed like the rest and
// an error only with --times.
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { serve } from './serve.mjs';

const LIMITS = { performance: 95, accessibility: 100, 'best-practices': 100, seo: 100 };
/** In ms. */
const LONGEST_TASK = 100;
const RUNS = 3;
/** One load is quick and another process soon in its way. */
const LOADS = 5;
const PAGES = ['en/00-the-map.html', 'en/03-server-sent-events.html', 'en/05-websocket.html'];

const TIMES = '--times';
const withTimes = process.argv.includes(TIMES);
const [site, modules, ...asked] = process.argv.slice(2).filter((argument) => argument !== TIMES);
if (!site || !modules) {
  console.error('usage: node .ci/lighthouse.mjs [--times] SITE MODULES [PAGE …]');
  process.exit(2);
}
const load = (/** @type {string} */ path) => import(pathToFileURL(resolve(modules, path)).href);
const { default: lighthouse } = await load('lighthouse/core/index.js');
const { default: puppeteer } = await load('puppeteer-core/lib/esm/puppeteer/puppeteer-core.js');

const median = (/** @type {number[]} */ values) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;

const host = await serve(site, 'beyond-fetch');
const browser = await puppeteer.launch({
  executablePath: process.env.CHROME_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});

/** The longest task of one load in ms, up to two seconds after the last answer has come. @param {string} url */
async function longestTask(url) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport({ width: 412, height: 823, deviceScaleFactor: 1.75, isMobile: true, hasTouch: true });
  await page.emulateCPUThrottling(4);
  await page.evaluateOnNewDocument(() => {
    Object.assign(window, { tasks: [] });
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) /** @type {any} */ (window).tasks.push(duration);
    }).observe({ type: 'longtask', buffered: true });
  });
  await page.goto(url, { waitUntil: 'networkidle0' });
  const tasks = await page.evaluate(() => new Promise((resolve) => {
    setTimeout(() => resolve(/** @type {any} */ (window).tasks), 2000);
  }));
  await context.close();
  return Math.max(0, ...tasks);
}

let missed = 0;
const verdict = (/** @type {boolean} */ good, isTimed = false) => {
  if (!good && (withTimes || !isTimed)) missed += 1;
  return good ? '' : ' ← missed';
};
for (const page of asked.length ? asked : PAGES) {
  console.log(page);
  const url = host.url + page;
  /** @type {any[]} */
  const results = [];
  for (let run = 0; run < RUNS; run += 1) {
    const tab = await browser.newPage();
    const result = await lighthouse(url, { logLevel: 'error', onlyCategories: Object.keys(LIMITS) }, undefined, tab);
    results.push(result.lhr);
    await tab.close();
  }
  for (const [category, limit] of Object.entries(LIMITS)) {
    const scores = results.map((result) => Math.round(result.categories[category].score * 100));
    console.log(`  ${category.padEnd(16)}${String(median(scores)).padStart(4)}  (at least ${limit}; ${scores.join(', ')})${verdict(median(scores) >= limit, category === 'performance')}`);
  }
  for (const metric of ['first-contentful-paint', 'largest-contentful-paint', 'total-blocking-time', 'cumulative-layout-shift', 'speed-index']) {
    console.log(`  ${metric.padEnd(26)}${results.map((result) => result.audits[metric].displayValue).join(', ')}`);
  }
  // What costs a point is named, so that it can be mended.
  const [last] = results.slice(-1);
  for (const category of Object.keys(LIMITS)) {
    for (const { id, weight } of last.categories[category].auditRefs) {
      const { score, title, displayValue = '' } = last.audits[id];
      if (weight > 0 && score !== null && score < 0.9) console.log(`  ${category}: ${title} ${displayValue}`);
    }
  }
  const tasks = [];
  for (let run = 0; run < LOADS; run += 1) tasks.push(Math.round(await longestTask(url)));
  console.log(`  longest task    ${String(median(tasks)).padStart(4)} ms  (at most ${LONGEST_TASK}; ${tasks.join(', ')})${verdict(median(tasks) <= LONGEST_TASK, true)}`);
}
await browser.close();
host.close();
if (missed > 0) console.error(`${missed} of the figures are beyond their limits.`);
process.exitCode = missed > 0 ? 1 : 0;
