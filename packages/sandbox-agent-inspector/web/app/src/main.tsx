import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import './base.css';
import { App } from './shell/App.tsx';
import { ownServerUrl } from './shell/base.ts';
import { fetchChat } from './shell/rooms.tsx';
import { applyThemeAtStart } from './shell/theme.ts';
import { takeTokenFromAddress, tokens } from './shell/token.ts';
import { installTrustedTypes } from './shell/trusted-types.ts';

const handedOver = takeTokenFromAddress();
if (handedOver !== null) {
  tokens.set(ownServerUrl(), handedOver);
}
installTrustedTypes();
fetchChat();
applyThemeAtStart();

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
