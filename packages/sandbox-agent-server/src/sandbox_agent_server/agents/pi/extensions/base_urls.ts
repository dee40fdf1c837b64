// Sends a provider's requests where the environment says, as the providers' own programs do. Pi itself
// reads a base URL from its models.json only.

interface Pi {
  registerProvider(name: string, config: { baseUrl: string }): void;
}

const VARIABLES = {
  anthropic: "ANTHROPIC_BASE_URL",
  openai: "OPENAI_BASE_URL",
  google: "GOOGLE_GEMINI_BASE_URL",
};

export default function (pi: Pi) {
  for (const [provider, variable] of Object.entries(VARIABLES)) {
    const baseUrl = process.env[variable];
    if (baseUrl) pi.registerProvider(provider, { baseUrl });
  }
}
