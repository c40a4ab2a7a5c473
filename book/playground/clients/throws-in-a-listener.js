// The position is read from where it is not.
export function watchPrices({ url, show }) {
  const source = new EventSource(url);
  source.addEventListener('price', (event) => show(JSON.parse(event.target.data)));
}
