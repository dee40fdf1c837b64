// Takes a session back to before one of its messages, in place: Pi's RPC mode can only fork another one off.

interface CommandContext {
  navigateTree(entry: string, options: { summarize: boolean }): Promise<{ cancelled: boolean }>;
}

interface Pi {
  registerCommand(
    name: string,
    command: { description: string; handler(entry: string, context: CommandContext): Promise<void> },
  ): void;
  appendEntry(type: string, data: unknown): void;
}

export default function (pi: Pi) {
  pi.registerCommand("sandbox-agent-rewind", {
    description: "Goes back to before a message of the session, by its entry",
    handler: async (entry, context) => {
      const target = entry.trim();
      const { cancelled } = await context.navigateTree(target, { summarize: false });
      // Whoever opens the session later goes on from its last entry.
      if (!cancelled) pi.appendEntry("sandbox-agent", { before: target });
    },
  });
}
