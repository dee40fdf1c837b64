/** The frame around everything. */
export function App() {
  return <main>sandbox-agent</main>;
}
