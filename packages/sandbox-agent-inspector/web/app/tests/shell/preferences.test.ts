import { expect, test } from 'vitest';
import { DEFAULTS, PANEL, readPreferences } from '../../src/shell/preferences.ts';

test('what is stored is taken only as far as it can be', () => {
  expect(readPreferences(null)).toEqual(DEFAULTS);
  expect(readPreferences('x')).toEqual(DEFAULTS);
  const read = readPreferences({
    theme: 'pink',
    leftWidth: 9999,
    rightWidth: Number.NaN,
    leftOpen: 'yes',
    singleKeys: false,
    panelTab: 'files',
    __proto__: { density: 'huge' },
    unknown: 1,
  });
  expect(read).toEqual({
    ...DEFAULTS,
    leftWidth: PANEL.left.max,
    singleKeys: false,
    panelTab: 'files',
  });
});
