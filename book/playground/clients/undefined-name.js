// A name that nobody has defined.
export function watchPrices({ url, show }) {
  const source = new EventSource(adress());
  source.addEventListener('price', (event) => show(event.data));
}
