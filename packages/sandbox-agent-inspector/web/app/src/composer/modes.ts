/** How the agent of a session decides what it may do, in one set of words for the whole page. */
import type { SessionInfo } from 'sandbox-agent-client';

export const PERMISSION_MODES: Readonly<Record<string, { name: string; description: string }>> = {
  ask: { name: 'Ask', description: 'The policy decides, else a person' },
  'accept-edits': { name: 'Accept edits', description: 'Edits in the workspace are allowed' },
  'read-only': { name: 'Read only', description: 'Nothing is changed and nothing is run' },
  plan: { name: 'Plan', description: 'It looks and plans; you approve the plan' },
  bypass: { name: 'Bypass', description: 'Everything is allowed' },
};

/** What the server holds the agent to; where it does not, the mode of the agent itself. */
export function modeName(info: SessionInfo): string | null {
  if (info.permissionMode)
    return PERMISSION_MODES[info.permissionMode]?.name ?? info.permissionMode;
  return info.modes?.find((mode) => mode.id === info.mode)?.name || info.mode || null;
}

export function modelName(info: SessionInfo): string | null {
  return info.models?.find((model) => model.id === info.model)?.name || info.model || null;
}
