// Waits in microtasks, so that no task ever comes.
export async function watchPrices({ url }) {
  const source = new EventSource(url);
  while (source.readyState !== EventSource.OPEN) await null;
}
