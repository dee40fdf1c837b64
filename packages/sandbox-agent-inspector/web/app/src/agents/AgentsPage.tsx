/** Agents: versions, installation, credentials, what they can. */
export function AgentsPage() {
  return null;
}
