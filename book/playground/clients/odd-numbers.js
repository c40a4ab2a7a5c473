// Numbers, dates and texts as engines may differ in them.
export function watchPrices({ show, status }) {
  status('live');
  show({
    third: 1 / 3,
    big: 123456789012345680000,
    small: 5e-324,
    negative: -0,
    rounded: (1.005).toFixed(2),
    percent: (0.1 + 0.2).toPrecision(17),
    chance: Math.random(),
    date: new Date(0).toString(),
    later: new Date(2024, 1, 29, 12).toISOString(),
    sorted: ['é', 'z', 'a', 'ä'].sort(),
    text: '\ud83d\udcc8 \u0000 \u2028',
    split: [...'💹é'].length,
  });
}
