import type { SandboxAgent, TerminalMessage, TerminalOptions } from 'sandbox-agent-client';
import { describe, expect, it, vi } from 'vitest';
import { ProcessTerminal } from '../../src/terminal/processTerminal.ts';
import type { TerminalEvents } from '../../src/terminal/transport.ts';

class Socket {
  offset: number | null = null;
  isOpen = true;
  closed = false;
  typed: string[] = [];
  constructor(readonly options: TerminalOptions) {}
  say(message: TerminalMessage): void {
    if (message.type === 'ready') this.offset = message.offset - message.scrollbackBytes;
    if (message.type === 'output') this.offset = (this.offset ?? 0) + message.data.length;
    this.options.onMessage(message);
  }
  input(data: string): void {
    this.typed.push(data);
  }
  resize(): void {}
  close(): void {
    this.closed = true;
    this.isOpen = false;
    this.say({ type: 'closed', code: 1000, reason: '' });
  }
}

function setUp() {
  const sockets: Socket[] = [];
  const typed: string[] = [];
  const client = {
    terminals: {
      connect: (_id: string, options: TerminalOptions) => {
        const socket = new Socket(options);
        sockets.push(socket);
        return socket;
      },
    },
    processes: {
      get: async () => ({}),
      input: async (_id: string, { data }: { data: string }) => typed.push(data),
    },
  } as unknown as SandboxAgent;
  const taken: (() => void)[] = [];
  const events = {
    data: vi.fn((_bytes: Uint8Array, done: () => void) => void taken.push(done)),
    restoring: vi.fn(),
    exit: vi.fn(),
    notice: vi.fn(),
    state: vi.fn(),
  } satisfies TerminalEvents;
  const terminal = new ProcessTerminal(client, 'proc_1');
  terminal.start(events, { cols: 80, rows: 24 });
  const at = (index: number): Socket => {
    const socket = sockets[index];
    if (!socket) throw new Error(`there is no connection ${index}`);
    return socket;
  };
  return { terminal, events, sockets, at, taken, typed };
}

describe('ProcessTerminal', () => {
  it('goes on where it was when its connection breaks', async () => {
    vi.useFakeTimers();
    const { events, sockets, at } = setUp();
    at(0).say({ type: 'ready', offset: 100, scrollbackBytes: 40 });
    at(0).say({ type: 'output', data: new Uint8Array(40) });
    at(0).say({ type: 'output', data: new Uint8Array(5) });
    at(0).say({ type: 'closed', code: 1006, reason: '' });
    await vi.advanceTimersByTimeAsync(10);
    expect(sockets).toHaveLength(2);
    expect(at(1).options.offset).toBe(105);
    at(1).say({ type: 'ready', offset: 105, scrollbackBytes: 0 });
    expect(events.restoring).toHaveBeenCalledTimes(1);
    expect(events.restoring).toHaveBeenCalledWith(40);
    expect(events.state).toHaveBeenLastCalledWith('live');
    vi.useRealTimers();
  });

  it('lets go of what the screen cannot take, still types, and comes back for the rest', () => {
    const { terminal, sockets, at, taken, typed } = setUp();
    at(0).say({ type: 'ready', offset: 0, scrollbackBytes: 0 });
    for (let piece = 0; piece < 5; piece++)
      at(0).say({ type: 'output', data: new Uint8Array(1024 * 1024) });
    expect(at(0).closed).toBe(true);
    terminal.write('\x03');
    expect(typed).toEqual(['\x03']);
    for (const done of taken) done();
    expect(sockets).toHaveLength(2);
    expect(at(1).options.offset).toBe(4 * 1024 * 1024);
  });

  it('keeps what is typed until there is a connection, and says when it cannot', async () => {
    vi.useFakeTimers();
    const { terminal, events, at } = setUp();
    at(0).isOpen = false;
    terminal.write('ec');
    terminal.write('ho\r');
    expect(at(0).typed).toEqual([]);
    at(0).isOpen = true;
    at(0).options.onOpen?.();
    terminal.write('x');
    expect(at(0).typed).toEqual(['ec', 'ho\r', 'x']);
    at(0).isOpen = false;
    at(0).say({ type: 'closed', code: 1006, reason: '' });
    await vi.advanceTimersByTimeAsync(10);
    at(1).isOpen = false;
    terminal.write('y'.repeat(65_536));
    expect(events.notice).not.toHaveBeenCalled();
    terminal.write('z');
    expect(events.notice).toHaveBeenCalledTimes(1);
    at(1).isOpen = true;
    at(1).options.onOpen?.();
    expect(at(1).typed).toEqual(['y'.repeat(65_536)]);
    vi.useRealTimers();
  });

  it('does not come back after the end', async () => {
    const { events, sockets, at } = setUp();
    at(0).say({ type: 'ready', offset: 0, scrollbackBytes: 0 });
    at(0).say({ type: 'exit', exitCode: 3 });
    at(0).say({ type: 'closed', code: 1000, reason: '' });
    await Promise.resolve();
    expect(events.exit).toHaveBeenCalledWith({ exitCode: 3, signal: null });
    expect(sockets).toHaveLength(1);
  });
});
