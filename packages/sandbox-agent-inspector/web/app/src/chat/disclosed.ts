/** What people opened and closed in the conversation, kept over a reload. */
import { Disclosures, useDisclosure } from 'sandbox-agent-react';

function storage(): Storage | null {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}

export const disclosures = new Disclosures(storage(), 'sandbox-agent:open-rows');

export function useDisclosed(key: string, byDefault = false): boolean {
  return useDisclosure(disclosures, key, byDefault).isOpen;
}
