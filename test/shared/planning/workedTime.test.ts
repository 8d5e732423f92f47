import { expect, it } from 'vitest'
import { workedMs } from '#shared/planning/workedTime.ts'

// Within 0 to 100, where nothing else is said.
it.each([
  ['nothing', [], 0],
  ['one spell', [[10, 30]], 20],
  ['a spell that goes on', [[90, null]], 10],
  [
    'two with a standstill between',
    [
      [10, 20],
      [80, null],
    ],
    30,
  ],
  [
    'two side by side',
    [
      [10, 40],
      [20, 50],
    ],
    40,
  ],
  [
    'one within another',
    [
      [10, 90],
      [20, 30],
    ],
    80,
  ],
  [
    'those of lanes, in any order',
    [
      [60, 70],
      [10, 20],
      [15, 25],
    ],
    25,
  ],
] as [string, [number, number | null][], number][])('counts %s', (_, spells, expected) => {
  expect(
    workedMs(
      spells.map(([fromMs, toMs]) => ({ fromMs, toMs })),
      100,
    ),
  ).toBe(expected)
})

it('leaves out what lies before and after', () => {
  const spells = [
    { fromMs: 0, toMs: 40 },
    { fromMs: 50, toMs: 120 },
  ]
  expect(workedMs(spells, 100, 30)).toBe(60)
  expect(workedMs(spells, 100, 45)).toBe(50)
})
