// What a page does beyond being read: the list of chapters, the theme, search, copying code. Everything is there
// without it, except what needs a script by nature, which is hidden until this runs.
(() => {
  'use strict';
  const root = document.documentElement;
  const find = (selector, within = document) => within.querySelector(selector);
  const keep = (key, value) => {
    try {
      if (value === null) localStorage.removeItem(key);
      else localStorage.setItem(key, value);
    } catch {
      // A browser that keeps nothing still shows the choice on this page.
    }
  };

  // The list of chapters.
  const toggle = find('#contents-toggle');
  const wide = matchMedia('(min-width: 64rem)');
  const show = (open) => {
    root.dataset.contents = open ? 'open' : 'closed';
    toggle.setAttribute('aria-expanded', String(open));
  };
  show(root.dataset.contents === 'open');
  toggle.hidden = false;
  toggle.addEventListener('click', () => {
    const open = root.dataset.contents !== 'open';
    show(open);
    if (wide.matches) keep('contents', open ? null : 'closed');
  });
  // On a narrow page the list lies over the text, and goes when one is done with it.
  const contents = find('#contents');
  contents.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !wide.matches) {
      show(false);
      toggle.focus();
    }
  });
  contents.addEventListener('focusout', ({ relatedTarget: next }) => {
    if (next && !wide.matches && next !== toggle && !contents.contains(next)) show(false);
  });
  wide.addEventListener('change', () => show(wide.matches));
  // A plain `mdbook build` does not mark the current page by itself.
  if (!find('#contents [aria-current]')) {
    const here = location.pathname.replace(/\/$/, '/index.html');
    for (const link of document.querySelectorAll('#contents .chapter a')) {
      if (new URL(link.href).pathname === here) link.setAttribute('aria-current', 'page');
    }
  }

  // The theme: light, dark, or as the system has it.
  const themes = find('#themes');
  const choose = (choice) => {
    if (choice === 'system') delete root.dataset.theme;
    else root.dataset.theme = choice;
    for (const button of themes.querySelectorAll('button')) {
      button.setAttribute('aria-pressed', String(button.value === choice));
    }
  };
  choose(root.dataset.theme ?? 'system');
  themes.hidden = false;
  themes.addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (!button) return;
    choose(button.value);
    keep('theme', button.value === 'system' ? null : button.value);
  });

  // What scrolls on its own can be reached by keyboard, and only while it scrolls.
  const scrolls = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth + 1) target.tabIndex = 0;
      else target.removeAttribute('tabindex');
    }
  });
  for (const box of document.querySelectorAll('main pre, main .table-wrapper, main .drawing')) scrolls.observe(box);

  // Copying code. At a prompt only what one types.
  const words = document.body.dataset;
  if (navigator.clipboard) {
    for (const block of document.querySelectorAll('figure.code')) {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'copy';
      button.textContent = words.copy;
      button.addEventListener('click', async () => {
        const code = find('code:not(figcaption code)', block);
        const typed = [...code.querySelectorAll('.i')].map((line) => line.textContent);
        const text = block.dataset.language === 'console' && typed.length ? typed.join('\n') : code.textContent;
        try {
          await navigator.clipboard.writeText(text);
          button.textContent = words.copied;
        } catch {
          button.textContent = words.notCopied;
        }
        setTimeout(() => { button.textContent = words.copy; }, 2000);
      });
      block.append(button);
    }
  }

  // Search: mdBook's index and elasticlunr, loaded when first asked for.
  const dialog = find('#search');
  const opener = find('#search-open');
  if (!dialog?.showModal) return;
  const input = find('input', dialog);
  const results = find('#search-results', dialog);
  const status = find('#search-status', dialog);
  let ready;
  const script = (src) => new Promise((resolve, reject) => {
    const element = document.createElement('script');
    element.src = src;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${src} did not load`));
    document.head.append(element);
  });
  const load = () => ready ??= (async () => {
    window.search ??= {};
    await Promise.all([script(dialog.dataset.engine), script(dialog.dataset.index)]);
    return window.elasticlunr.Index.load(window.search.index);
  })();
  const excerpt = (text, terms) => {
    const lower = text.toLowerCase();
    const places = terms.map((term) => lower.indexOf(term)).filter((at) => at >= 0);
    const at = Math.max(0, Math.min(...places, text.length) - 50);
    const start = places.length && at > 0 ? text.indexOf(' ', at) + 1 : 0;
    return `${start > 0 ? '… ' : ''}${text.slice(start, start + 150)}${text.length > start + 150 ? ' …' : ''}`;
  };
  const search = async () => {
    const asked = input.value.trim();
    if (!asked) {
      results.replaceChildren();
      status.textContent = '';
      return;
    }
    let index;
    try {
      index = await load();
    } catch {
      ready = undefined;
      status.textContent = dialog.dataset.failed;
      return;
    }
    if (input.value.trim() !== asked) return;
    const { results_options: options, search_options: how, doc_urls: urls } = window.search;
    const found = index.search(asked, how).slice(0, options.limit_results);
    const terms = asked.toLowerCase().split(/\s+/);
    results.replaceChildren(...found.map(({ ref, doc }) => {
      const item = document.createElement('li');
      const link = document.createElement('a');
      link.href = urls[ref];
      const title = document.createElement('b');
      title.textContent = doc.title;
      const where = document.createElement('small');
      where.textContent = doc.breadcrumbs;
      const text = document.createElement('span');
      text.textContent = excerpt(doc.body, terms);
      link.append(title, ' ', where, ' ', text);
      item.append(link);
      return item;
    }));
    status.textContent = found.length ? `${found.length} ${dialog.dataset.found}` : dialog.dataset.none;
  };
  const open = () => {
    dialog.showModal();
    input.select();
    load().catch(() => { ready = undefined; });
  };
  opener.hidden = false;
  opener.addEventListener('click', open);
  input.addEventListener('input', search);
  results.addEventListener('click', () => dialog.close());
  find('form', dialog).addEventListener('submit', (event) => {
    event.preventDefault();
    find('a', results)?.click();
  });
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest?.('input, textarea, select, [contenteditable]');
    if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
    event.preventDefault();
    open();
  });
})();
