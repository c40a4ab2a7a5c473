// Before the first paint: the reader's theme, and whether the list of chapters is open.
(() => {
  'use strict';
  const root = document.documentElement;
  let theme, contents;
  try {
    theme = localStorage.getItem('theme');
    contents = localStorage.getItem('contents');
  } catch {
    // A browser that keeps nothing: the system's theme, and a list that is open where there is room.
  }
  if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
  const wide = matchMedia('(min-width: 64rem)').matches;
  root.dataset.contents = wide && contents !== 'closed' ? 'open' : 'closed';
})();
