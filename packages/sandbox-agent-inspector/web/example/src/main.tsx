import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { SandboxAgent, ServerStore } from 'sandbox-agent-client';
import { ServerProvider } from 'sandbox-agent-react';
import { App } from './App.tsx';
import './example.css';

// `#url=http://127.0.0.1:2468&token=…`: a fragment is sent to nobody.
const given = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, '', location.pathname);
const store = new ServerStore(
  new SandboxAgent({ url: given.get('url') ?? location.origin, token: given.get('token') }),
);

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <ServerProvider store={store}>
        <App />
      </ServerProvider>
    </StrictMode>,
  );
}
