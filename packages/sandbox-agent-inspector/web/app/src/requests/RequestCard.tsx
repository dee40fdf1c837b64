import { usePermission } from 'sandbox-agent-react';
import { useMedia } from '../composer/useMedia.ts';
import { usePreferences } from '../shell/preferences.ts';
import { CardFrame } from './CardFrame.tsx';

interface RequestCardProps {
  sessionId: string;
  requestId: string;
  /** On a phone the sheet over the composer answers, and the conversation only says that it does. */
  place?: 'conversation' | 'sheet';
}

/** A permission, a question, a hook or a call of a client: answered in place, or what became of it. */
export function RequestCard({ sessionId, requestId, place = 'conversation' }: RequestCardProps) {
  const actor = usePreferences((state) => state.actor);
  const handle = usePermission(sessionId, requestId, { actor });
  const isPhone = useMedia('(max-width: 600px)');
  if (!handle) return null;
  const isBelow = isPhone && place === 'conversation' && handle.request.kind !== 'host_tool';
  return <CardFrame handle={handle} isSheet={place === 'sheet'} isBelow={isBelow} />;
}
