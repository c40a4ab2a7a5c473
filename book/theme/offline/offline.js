// Lets what was read be read again without a network. A page always comes from the network where there is one; what is
// kept of it serves only where there is none. A file whose name changes with its content is kept, and not asked for
// again. Nothing else is touched.
//
// It lies at the root of the site, under a name that stays, and is written by `press`, which knows the version.
const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const ours = `beyond-fetch ${worker.registration.scope} `;
// Of each version everything is kept anew, so that no page meets the style of another.
const current = `${ours}{{version}}`;

/** Eight hexadecimal digits of the content's hash, before an ending or in the name of a folder. */
const hashed = /-[0-9a-f]{8}(\.|\/)/;

/** Keeps an answer, if there is room. @param {RequestInfo} request @param {Response} answer */
async function keep(request, answer) {
  if (answer.status !== 200 || answer.type !== 'basic') return;
  try {
    const cache = await caches.open(current);
    await cache.put(request, answer);
  } catch {
    // A browser without room for it serves the page all the same.
  }
}

/** Forgets what other versions kept. */
async function forget() {
  const names = await caches.keys();
  await Promise.all(names.filter((old) => old.startsWith(ours) && old !== current).map((old) => caches.delete(old)));
}

/** @param {Request} request */
async function file(request) {
  const cache = await caches.open(current);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  await keep(request, answer.clone());
  return answer;
}

/** @param {FetchEvent} event */
async function page(event) {
  const { request } = event;
  try {
    // Asked for anew even where the browser's own cache would still do.
    const answer = await fetch(request, { cache: 'no-cache' });
    event.waitUntil(keep(request, answer.clone()));
    // Again and again: the version before may have been at its last page when this one began.
    event.waitUntil(forget());
    return answer;
  } catch {
    const cache = await caches.open(current);
    const kept = await cache.match(request, { ignoreSearch: true });
    return kept ?? notKept(await cache.keys());
  }
}

/** Says that a page is not to be had, and which are. @param {readonly Request[]} kept */
function notKept(kept) {
  const pages = kept.map(({ url }) => url).filter((url) => url.endsWith('.html'));
  const links = pages.map((url) => `<li><a href="${url}">${url.slice(worker.registration.scope.length)}</a></li>`);
  const text = `<!doctype html><html lang="en"><meta charset="utf-8"><title>No network</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<h1>No network</h1><p>This page was not opened in this browser before, so it is not kept. These were:</p><ul>${links.join('')}</ul></html>`;
  return new Response(text, { status: 503, headers: { 'content-type': 'text/html; charset=utf-8' } });
}

// A page that is open has loaded what it is made of, so a new version need not wait until the last one is closed.
worker.addEventListener('install', (event) => event.waitUntil(worker.skipWaiting()));

worker.addEventListener('activate', (event) => {
  event.waitUntil(Promise.all([forget(), worker.clients.claim()]));
});

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !request.url.startsWith(worker.registration.scope)) return;
  if (request.mode === 'navigate') event.respondWith(page(event));
  else if (hashed.test(new URL(request.url).pathname)) event.respondWith(file(request));
});

// The first page was there before this was: it names itself and what it has loaded.
worker.addEventListener('message', (event) => {
  const data = /** @type {unknown} */ (event.data);
  const named = Array.isArray(data) ? data.filter((url) => typeof url === 'string') : [];
  const ourOwn = named.filter((url) => url.startsWith(worker.registration.scope) && (hashed.test(url) || url.endsWith('.html')));
  event.waitUntil(Promise.allSettled(ourOwn.map(async (url) => {
    const cache = await caches.open(current);
    if (!await cache.match(url)) await keep(url, await fetch(url));
  })));
});
