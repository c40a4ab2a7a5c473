// A bracket too few.
export function watchPrices({ url, show {
  const source = new EventSource(url);
}
