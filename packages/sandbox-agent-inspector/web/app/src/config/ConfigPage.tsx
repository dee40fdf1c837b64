/** MCP servers and skills of a directory. */
export function ConfigPage() {
  return null;
}
