import { useEffect, useRef } from 'react';
import type { FoldedTurn } from 'sandbox-agent-client';
import {
  Composer,
  foreign,
  Markdown,
  PermissionCard,
  promptText,
  QuestionCard,
  useSession,
} from 'sandbox-agent-react';

export function Conversation({ sessionId }: { sessionId: string }) {
  const { state, transcript, outbox, problem } = useSession(sessionId);
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (transcript.seq > 0) end.current?.scrollIntoView({ block: 'end' });
  }, [transcript]);
  return (
    <main>
      <div className="turns" role="log" aria-live="off">
        {state === 'loading' && <p className="hint">Reading the session…</p>}
        {problem && <p role="alert">{problem.message}</p>}
        {state === 'ready' && transcript.turns.length === 0 && outbox.length === 0 && (
          <p className="hint">Say what to do. The mock agent takes “help”, “tool”, “permission”.</p>
        )}
        {transcript.turns.map((turn, index) => (
          <Turn key={turn.id ?? index} turn={turn} sessionId={sessionId} />
        ))}
        {outbox.map((prompt) => (
          <p key={prompt.id} className="prompt" data-state={prompt.state}>
            {promptText([...prompt.content])}
          </p>
        ))}
        <div ref={end} />
      </div>
      <Composer sessionId={sessionId} className="composer" />
    </main>
  );
}

function Turn({ turn, sessionId }: { turn: FoldedTurn; sessionId: string }) {
  return (
    <section>
      {turn.prompt && <p className="prompt">{promptText(turn.prompt)}</p>}
      {turn.items.map((item) => {
        const key = `${item.type} ${item.seq}`;
        switch (item.type) {
          case 'message':
            return <Markdown key={key} text={item.text} streaming={item.streaming} />;
          case 'reasoning':
            return (
              <details key={key} className="reasoning">
                <summary>Thought</summary>
                {item.text}
              </details>
            );
          case 'tool':
            return (
              <details key={key} className="tool" data-status={item.status}>
                <summary>
                  {foreign(item.title || item.name || 'Tool')} <small>{item.status}</small>
                </summary>
                {item.terminalOutput && <pre>{item.terminalOutput}</pre>}
              </details>
            );
          case 'plan':
            return (
              <ul key={key} className="plan">
                {item.entries.map((entry) => (
                  <li key={entry.content} data-status={entry.status}>
                    {foreign(entry.content)}
                  </li>
                ))}
              </ul>
            );
          case 'permission':
            return (
              <PermissionCard
                key={key}
                className="card"
                sessionId={sessionId}
                requestId={item.requestId}
              />
            );
          case 'question':
            return (
              <QuestionCard
                key={key}
                className="card"
                sessionId={sessionId}
                requestId={item.requestId}
              />
            );
          case 'notice':
            return (
              <p key={key} className="hint">
                {item.text}
              </p>
            );
          default:
            return null;
        }
      })}
    </section>
  );
}
