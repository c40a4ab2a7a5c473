// Waits for something that cannot happen meanwhile.
export function watchPrices({ url }) {
  const source = new EventSource(url);
  while (source.readyState !== EventSource.OPEN) {}
}
