// @vitest-environment jsdom
import { act, renderHook } from '@testing-library/react';
import { afterEach, expect, test, vi } from 'vitest';
import { useCopy } from '../../src/shell/clipboard.ts';

afterEach(() => vi.unstubAllGlobals());

test('a page of http from another machine has no clipboard, and copies all the same', async () => {
  vi.stubGlobal('navigator', {});
  const written: string[] = [];
  document.execCommand = (command) => {
    const event = new Event(command, { bubbles: true, cancelable: true });
    Object.assign(event, {
      clipboardData: { setData: (_type: string, text: string) => written.push(text) },
    });
    const before = new Event('beforecopy', { bubbles: true, cancelable: true });
    return !document.body.dispatchEvent(before) && !document.body.dispatchEvent(event);
  };
  const { result } = renderHook(useCopy);
  await act(async () => result.current[1]('some text', 'Text'));
  expect(written).toEqual(['some text']);
  expect(result.current[0]).toBe(true);
});

test('a copy that was not made is not shown as one', async () => {
  vi.stubGlobal('navigator', {});
  document.execCommand = () => false;
  const { result } = renderHook(useCopy);
  await act(async () => result.current[1]('some text', 'Text'));
  expect(result.current[0]).toBe(false);
});
