// A text that doubles.
export function watchPrices({ show }) {
  let text = 'price';
  for (;;) text += text;
  show(text);
}
