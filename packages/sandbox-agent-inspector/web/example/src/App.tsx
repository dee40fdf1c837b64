import { useState } from 'react';
import { foreign, useClient, useConnection, useServer } from 'sandbox-agent-react';
import { Conversation } from './Conversation.tsx';

export function App() {
  const [selected, select] = useState<string | null>(null);
  return (
    <div className="app">
      <Sidebar selected={selected} onSelect={select} />
      {selected === null ? (
        <main className="empty">
          <h1>Nothing is open</h1>
          <p>Choose a session, or begin one.</p>
        </main>
      ) : (
        <Conversation key={selected} sessionId={selected} />
      )}
    </div>
  );
}

function Sidebar({
  selected,
  onSelect,
}: {
  selected: string | null;
  onSelect: (id: string) => void;
}) {
  const client = useClient();
  const { sessions, activity } = useServer();
  const connection = useConnection();
  const [problem, setProblem] = useState<string | null>(null);
  const create = async () => {
    try {
      setProblem(null);
      onSelect((await client.sessions.create({ agent: 'mock' })).id);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <nav aria-label="Sessions">
      <header>
        <strong>Sessions</strong>
        <span className="connection" data-state={connection.state}>
          {connection.state}
        </span>
      </header>
      <button type="button" className="primary" onClick={create}>
        New session
      </button>
      {problem && <p role="alert">{problem}</p>}
      <ul>
        {sessions.map(({ id, title, firstPrompt, agent, status }) => (
          <li key={id}>
            <button
              type="button"
              aria-current={id === selected ? 'page' : undefined}
              data-status={status}
              onClick={() => onSelect(id)}
            >
              <span className="title">
                {foreign(title ?? firstPrompt ?? `New ${agent} session`)}
              </span>
              <span className="line">{foreign(activity.get(id) ?? `${agent} · ${status}`)}</span>
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}
