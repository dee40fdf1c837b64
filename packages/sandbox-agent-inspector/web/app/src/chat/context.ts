import { createContext, useContext } from 'react';

export interface ChatContext {
  sessionId: string;
  /** Directory of the session: what paths in messages are relative to. */
  cwd: string;
  /** Name of the agent, as people are told it. */
  agent: string;
}

const Context = createContext<ChatContext>({ sessionId: '', cwd: '/', agent: 'agent' });

export const ChatProvider = Context.Provider;

export function useChat(): ChatContext {
  return useContext(Context);
}

/** A path of a message as one that files are found by. */
export function absolutePath(path: string, cwd: string): string {
  if (path.startsWith('/')) return path;
  return `${cwd.replace(/\/$/, '')}/${path.replace(/^(\.\/)+/, '')}`;
}
