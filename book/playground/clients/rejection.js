// Nobody waits for this promise.
export function watchPrices({ url }) {
  fetch(url, { method: 'HEAD' }).then((answer) => {
    throw new RangeError(`answered ${answer.status}`);
  });
  Promise.reject('a string');
}
