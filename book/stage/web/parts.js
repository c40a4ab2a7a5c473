// A page whose parts the stage draws: the board, the console, a visitor's own page. This puts new ones in place, and
// sends the page's forms without leaving it. Without it the forms work, and the page is new when it is loaded again.

const said = /** @type {HTMLElement} */ (document.getElementById('said'));

/** Says something to everyone, a screen reader among them. @param {string} words */
function say(words) {
  said.textContent = words;
}

/**
 * Makes `place` hold what `drawn` does. What both hold stays the same element: a button that is being pressed, a field
 * that is being filled, a group that somebody has opened. Elements with an id are known by it.
 * @param {Element} place @param {ParentNode & Node} drawn
 */
function grow(place, drawn) {
  let at = place.firstChild;
  for (const next of [...drawn.childNodes]) {
    const known = same(at, next);
    if (!known) {
      place.insertBefore(next, at);
      continue;
    }
    // What stood before it is no longer there.
    while (at && at !== known) at = drop(at);
    if (known instanceof Element && next instanceof Element) {
      dress(known, next);
      grow(known, next);
    } else if (known.nodeValue !== next.nodeValue) {
      known.nodeValue = next.nodeValue;
    }
    at = known.nextSibling;
  }
  while (at) at = drop(at);
}

/** @param {ChildNode} node @returns the one behind it */
function drop(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

/** The node from `at` on that stands for `next`, if there is one. @param {ChildNode | null} at @param {Node} next */
function same(at, next) {
  const id = next instanceof Element ? next.id : '';
  for (let node = at; node; node = node.nextSibling) {
    if (node.nodeName === next.nodeName && (node instanceof Element ? node.id : '') === id) return node;
    if (!id) return null;
  }
  return null;
}

/** Gives an element another's attributes. @param {Element} known @param {Element} next */
function dress(known, next) {
  for (const { name, value } of [...next.attributes]) {
    if (known.getAttribute(name) !== value) known.setAttribute(name, value);
  }
  for (const { name } of [...known.attributes]) {
    // Whoever opened a group closes it.
    if (!next.hasAttribute(name) && !(name === 'open' && known.localName === 'details')) known.removeAttribute(name);
  }
}

/** Fills an element with what the stage drew. @param {string} id @param {string} html */
function put(id, html) {
  const place = document.getElementById(id);
  if (!place) return;
  const drawn = document.createElement('template');
  drawn.innerHTML = html;
  const focused = place.contains(document.activeElement);
  grow(place, drawn.content);
  if (!focused || place.contains(document.activeElement)) return;
  // What had the focus is gone: its part has it, so that the keyboard goes on from there.
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
  if (answer?.ok) {
    if (form.dataset.resets !== undefined) reset(form);
    return say('');
  }
  say(answer ? await answer.text() : 'The stage is out of reach: that was not done.');
});

/** Empties a form whose order was obeyed, but for whom it was meant. @param {HTMLFormElement} form */
function reset(form) {
  for (const field of form.querySelectorAll('input')) {
    if (field.type === 'checkbox') field.checked = false;
    else if (field.type === 'number') field.value = '';
  }
}

export {};
