// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { useState } from 'react';
import { afterEach, expect, test } from 'vitest';
import { ClosableTab, ClosableTabs } from '../../src/ui/index.ts';

afterEach(cleanup);
// There is no layout to scroll.
Element.prototype.scrollIntoView = () => {};

function Open() {
  const [ids, setIds] = useState(['a', 'b', 'c']);
  const [selected, setSelected] = useState('a');
  return (
    <ClosableTabs
      label="Open"
      ids={ids}
      selected={selected}
      onSelect={setSelected}
      onClose={(id) => {
        setIds(ids.filter((each) => each !== id));
        if (id === selected) setSelected(ids.find((each) => each !== id) ?? '');
      }}
    >
      {ids.map((id) => (
        <ClosableTab key={id} id={id} title={id}>
          {id}
        </ClosableTab>
      ))}
    </ClosableTabs>
  );
}

const selected = () => screen.getByRole('tab', { selected: true });

test('arrows go around, and take the focus along', () => {
  render(<Open />);
  selected().focus();
  fireEvent.keyDown(selected(), { key: 'ArrowLeft' });
  expect(selected().textContent).toBe('c');
  expect(document.activeElement).toBe(selected());
  fireEvent.keyDown(selected(), { key: 'ArrowRight' });
  expect(selected().textContent).toBe('a');
  expect(screen.getAllByRole('tab').filter((tab) => tab.tabIndex === 0)).toEqual([selected()]);
});

test('Delete closes the selected one, the middle button that which it is on', () => {
  render(<Open />);
  selected().focus();
  fireEvent.keyDown(selected(), { key: 'Delete' });
  expect(screen.getAllByRole('tab').map((tab) => tab.textContent)).toEqual(['b', 'c']);
  expect(document.activeElement).toBe(selected());
  fireEvent(screen.getByText('c'), new MouseEvent('auxclick', { bubbles: true, button: 1 }));
  expect(screen.getAllByRole('tab').map((tab) => tab.textContent)).toEqual(['b']);
});

test('what is selected elsewhere does not take the focus', () => {
  render(<Open />);
  fireEvent.click(screen.getByText('b'));
  expect(selected().textContent).toBe('b');
  expect(document.activeElement).toBe(document.body);
});
