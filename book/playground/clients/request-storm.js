// Asks again at once, whatever the answer was.
export function watchPrices({ url }) {
  const again = () => fetch(url).then(again, again);
  for (let i = 0; i < 100; i += 1) again();
}
