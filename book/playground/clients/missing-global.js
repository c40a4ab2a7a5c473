// Something that browsers have and the bench's page does not.
export function watchPrices({ url }) {
  const place = localStorage.getItem('place');
  new EventSource(place ? `${url}?after=${place}` : url);
}
