// Drives an agent with the official TypeScript SDK, step by step, and prints what each step came to as JSON.
// node acp_typescript_sdk.mjs SDK_DIRECTORY TRANSPORT TARGET TOKEN
//   TRANSPORT: http or websocket, whose TARGET is a URL; stdio, whose TARGET is a command as a JSON array.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { pathToFileURL } from "node:url";

const [directory, transport, target, token] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(directory, "dist", path)));
const acp = await load("v1/stable/acp.js");

let child;
async function open() {
  if (transport === "http") {
    const { createHttpStream } = await load("transports/http-stream.js");
    return createHttpStream(target, { headers: { Authorization: `Bearer ${token}` } });
  }
  if (transport === "websocket") {
    const { createWebSocketStream } = await load("transports/ws-stream.js");
    const protocols = ["sandbox-agent", `bearer.${token}`];
    return createWebSocketStream(target, { protocols });
  }
  const [program, ...args] = JSON.parse(target);
  child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  return acp.ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout));
}

async function closed() {
  if (child === undefined) return;
  const ended = new Promise((resolve) => child.on("exit", resolve));
  child.stdin.end();
  steps.exit = await ended;
}

const steps = {};
let asked = 0;
let said = [];
let onSaid = () => {};
const text = (kind) =>
  said.filter((one) => one.sessionUpdate === kind).map((one) => one.content.text).join("");

const editor = () =>
  acp
    .client({ name: "test-editor" })
    .onRequest(acp.methods.client.session.requestPermission, ({ params }) => {
      asked += 1;
      return { outcome: { outcome: "selected", optionId: params.options[0].optionId } };
    })
    .onNotification(acp.methods.client.session.update, ({ params }) => {
      said.push(params.update);
      onSaid(params.update);
    });

const call = acp.methods.agent;
const prompt = (sessionId, words) => ({ sessionId, prompt: [{ type: "text", text: words }] });
const failure = (promise) => promise.then(() => "no error", (error) => error.code ?? String(error));
const hello = { protocolVersion: 1, clientCapabilities: {}, clientInfo: { name: "t", version: "0" } };

let id;
await editor().connectWith(await open(), async (agent) => {
  steps.version = (await agent.request(call.initialize, hello)).protocolVersion;
  const made = await agent.request(call.session.new, { cwd: process.cwd(), mcpServers: [] });
  id = made.sessionId;
  steps.modes = made.modes.availableModes.length;
  steps.prompt = (await agent.request(call.session.prompt, prompt(id, "Grüße 🎉 hello"))).stopReason;
  steps.text = text("agent_message_chunk");
  steps.permission = (await agent.request(call.session.prompt, prompt(id, "permission"))).stopReason;
  steps.asked = asked;
  const streams = new Promise((resolve) => {
    onSaid = (update) => update.sessionUpdate === "agent_message_chunk" && resolve();
  });
  const slow = agent.request(call.session.prompt, prompt(id, "slow 30"));
  await streams;
  await agent.notify(call.session.cancel, { sessionId: id });
  steps.cancel = (await slow).stopReason;
  steps.mode = await agent.request(call.session.setMode, { sessionId: id, modeId: "plan" });
  const { sessions } = await agent.request(call.session.list, {});
  steps.listed = sessions.some((one) => one.sessionId === id);
  steps.vendor = await failure(agent.request("_vendor/thing", { sessionId: id }));
  steps.unknown = await failure(agent.request("_vendor/other", {}));
  steps.nowhere = await failure(
    agent.request(call.session.load, { sessionId: "nope", cwd: process.cwd(), mcpServers: [] }),
  );
  steps.crash = await failure(agent.request(call.session.prompt, prompt(id, "crash")));
  steps.revived = (await agent.request(call.session.prompt, prompt(id, "hello"))).stopReason;
  await agent.request(call.session.close, { sessionId: id });
});
await closed();

for (const [name, method] of [["load", call.session.load], ["resume", call.session.resume]]) {
  said = [];
  await editor().connectWith(await open(), async (agent) => {
    await agent.request(call.initialize, hello);
    await agent.request(method, { sessionId: id, cwd: process.cwd(), mcpServers: [] });
    await agent.request(call.session.prompt, prompt(id, name));
    steps[name] = [text("user_message_chunk").slice(0, 14), text("agent_message_chunk").slice(-14)];
  });
  await closed();
}
console.log(JSON.stringify(steps));
