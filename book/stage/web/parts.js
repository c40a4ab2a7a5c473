// A page whose parts the stage draws: the board, the console, a visitor's own page. This puts new ones in place, and
// sends the page's forms without leaving it. Without it the forms work, and the page is new when it is loaded again.

const said = /** @type {HTMLElement} */ (document.getElementById('said'));

/** Says something to everyone, a screen reader among them. @param {string} words */
function say(words) {
  said.textContent = words;
}

/** Fills an element with what the stage drew, if that differs. @param {string} id @param {string} html */
function put(id, html) {
  const place = document.getElementById(id);
  if (!place) return;
  const drawn = document.createElement('template');
  drawn.innerHTML = html;
  if (drawn.innerHTML === place.innerHTML) return;
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  place.replaceChildren(drawn.content);
  if (!focused) return;
  // What had the focus has it again; where it is gone, its part does, so that the keyboard goes on from there.
  const again = focused.id ? document.getElementById(focused.id) : null;
  if (again) return again.focus();
  place.tabIndex = -1;
  place.focus();
}

const { events } = document.body.dataset;
if (events) {
  /** @type {EventSource} */
  let source;
  const listen = () => {
    source = new EventSource(events);
    source.addEventListener('parts', (event) => {
      for (const [id, html] of Object.entries(JSON.parse(event.data))) put(id, html);
    });
    source.addEventListener('open', () => {
      if (document.body.classList.replace('is-lost', 'is-found')) say('');
    });
    source.addEventListener('error', () => {
      document.body.classList.add('is-lost');
      say(source.readyState === EventSource.CLOSED
        ? 'The stage does not answer this page any more. Load it again.'
        : 'The stage is out of reach; this page tries again.');
    });
  };
  listen();
  // A page that is not seen leaves its connection to those that are: a browser has six.
  document.addEventListener('visibilitychange', () => {
    source.close();
    if (!document.hidden) listen();
  });
  addEventListener('pagehide', () => source.close());
  addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
}

document.addEventListener('submit', async (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  // Its answer is a page to look at.
  if (form.dataset.opens !== undefined) return;
  event.preventDefault();
  const body = new URLSearchParams();
  for (const [name, value] of new FormData(form)) body.append(name, String(value));
  const answer = await fetch(form.action, { method: 'POST', headers: { accept: 'text/plain' }, body }).catch(() => null);
  if (answer?.ok) return say('');
  say(answer ? await answer.text() : 'The stage is out of reach: that was not done.');
});

export {};
