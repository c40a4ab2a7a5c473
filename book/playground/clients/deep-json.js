// Data nested deeper than any parser likes it.
export function watchPrices({ show }) {
  show(JSON.parse('['.repeat(200_000) + ']'.repeat(200_000)));
}
