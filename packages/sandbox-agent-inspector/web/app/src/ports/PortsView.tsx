/** Ports that somebody listens on, and previews. */
export function PortsView() {
  return null;
}
