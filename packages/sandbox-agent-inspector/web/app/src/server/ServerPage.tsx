/** Health of the server, and the requests of this page. */
export function ServerPage() {
  return null;
}
