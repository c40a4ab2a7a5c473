// Opens another one on every error, at once.
export function watchPrices({ url, show }) {
  const open = () => {
    const source = new EventSource(url);
    source.addEventListener('price', (event) => show(JSON.parse(event.data)));
    source.onerror = open;
  };
  open();
}
