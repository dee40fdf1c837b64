// Drives an agent with the official TypeScript SDK's draft of version 2, step by step, and prints what each came to as JSON.
// node acp_v2_typescript_sdk.mjs SDK_DIRECTORY TRANSPORT URL TOKEN
//   TRANSPORT: http or websocket.

import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [directory, transport, target, token] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(directory, "dist", path)));
const acp = await load("v2/stable/acp.js");

async function open() {
  if (transport === "http") {
    const { createHttpStream } = await load("transports/http-stream.js");
    return createHttpStream(target, { headers: { Authorization: `Bearer ${token}` } });
  }
  const { createWebSocketStream } = await load("transports/ws-stream.js");
  return createWebSocketStream(target, { protocols: ["sandbox-agent", `bearer.${token}`] });
}

const steps = {};
let said = [];
let asked = [];
let waiting = [];
const approve = ({ options }) => {
  const { optionId } = options.find((one) => one.kind === "allow_once");
  return { outcome: "selected", optionId };
};
let answer = approve;

function seen(test) {
  const found = said.find(test);
  if (found !== undefined) return Promise.resolve(found);
  return new Promise((resolve) => waiting.push({ test, resolve }));
}
function take(update) {
  said.push(update);
  for (const one of waiting.filter(({ test }) => test(update))) one.resolve(update);
  waiting = waiting.filter(({ test }) => !test(update));
}
const state = (wanted) => (update) =>
  update.sessionUpdate === "state_update" && update.state === wanted;
const states = () =>
  said
    .filter((one) => one.sessionUpdate === "state_update")
    .map((one) => (one.stopReason ? `${one.state} ${one.stopReason}` : one.state));
const text = (kind) =>
  said.filter((one) => one.sessionUpdate === kind).map((one) => one.content.text).join("");
const ids = (kind) =>
  new Set(said.filter((one) => one.sessionUpdate === kind).map((one) => one.messageId));

const editor = () =>
  acp
    .client({ name: "test-editor" })
    .onRequest(acp.methods.client.session.requestPermission, ({ params }) => {
      asked.push(params);
      return { outcome: answer(params) };
    })
    .onNotification(acp.methods.client.session.update, ({ params }) => take(params.update));

const call = acp.methods.agent;
const hello = { protocolVersion: 2, info: { name: "t", version: "0" } };
const failure = (promise) => promise.then(() => "no error", (error) => error.code ?? String(error));
const ask = (agent, sessionId, words) =>
  agent.request(call.session.prompt, { sessionId, prompt: [{ type: "text", text: words }] });

async function turn(agent, words) {
  said = [];
  const { messageId } = await ask(agent, id, words);
  await seen(state("idle"));
  return messageId;
}

let id;
let first;
await editor().connectWith(await open(), async (agent) => {
  const greeted = await agent.request(call.initialize, hello);
  steps.version = greeted.protocolVersion;
  steps.capabilities = Object.keys(greeted.capabilities.session).sort();
  const made = await agent.request(call.session.new, { cwd: process.cwd() });
  id = made.sessionId;
  steps.options = made.configOptions.map((one) => one.configId);

  first = await turn(agent, "Grüße 🎉 hello");
  steps.states = states();
  steps.text = text("agent_message_chunk");
  const echoed = said.find((one) => one.sessionUpdate === "user_message");
  steps.echo = echoed.messageId === first && echoed.content[0].text;
  steps.messages = ids("agent_message_chunk").size;

  await turn(agent, "permission");
  steps.permission = [asked.length, asked[0].title, asked[0].subject.type, ...states()];
  answer = () => ({ outcome: "_never_heard_of" });
  await turn(agent, "permission");
  steps.unclear = said
    .filter((one) => one.sessionUpdate === "tool_call_update" && one.status)
    .map((one) => one.status)
    .at(-1);

  await turn(agent, "plan");
  const plans = said.filter((one) => one.sessionUpdate === "plan_update");
  steps.plan = [plans.length, plans[0].plan.entries.length, new Set(plans.map((one) => one.plan.planId)).size];
  await turn(agent, "terminal");
  steps.terminal = Buffer.concat(
    said
      .filter((one) => one.sessionUpdate === "terminal_output_chunk")
      .map((one) => Buffer.from(one.data, "base64")),
  ).toString();
  steps.exit = said.find((one) => one.exitStatus)?.exitStatus.exitCode;
  await turn(agent, "diff");
  steps.diff = said
    .flatMap((one) => (one.sessionUpdate === "tool_call_update" ? one.content ?? [] : []))
    .filter((one) => one.type === "diff")
    .map((one) => [one.changes[0].operation, one.patch.text.split("\n").slice(-4)])[0];

  said = [];
  await ask(agent, id, "slow 30");
  await seen((one) => one.sessionUpdate === "agent_message_chunk");
  const held = failure(ask(agent, id, "held"));
  // Answered after the prompt before it was taken.
  await failure(agent.request("_vendor/other", {}));
  await agent.notify(call.session.cancel, { sessionId: id });
  await seen(state("idle"));
  steps.cancel = [...states(), await held];

  const set = { sessionId: id, configId: "mode", type: "id", value: "plan" };
  const { configOptions } = await agent.request(call.session.setConfigOption, set);
  steps.mode = configOptions.find((one) => one.configId === "mode").currentValue;
  steps.wrong = await failure(
    agent.request(call.session.setConfigOption, { ...set, configId: "nope" }),
  );
  steps.cancelCall = await failure(
    agent.request(call.toolCall.cancel, { sessionId: id, toolCallId: "none" }),
  );
  steps.load = await failure(agent.request("session/load", { sessionId: id, cwd: "/" }));
  steps.replay = await failure(
    agent.request(call.session.resume, { sessionId: id, cwd: process.cwd(), replayFrom: { type: "_x" } }),
  );
  steps.nowhere = await failure(
    agent.request(call.session.resume, { sessionId: "nope", cwd: process.cwd() }),
  );
  const { sessions } = await agent.request(call.session.list, {});
  steps.listed = sessions.some((one) => one.sessionId === id);
  await turn(agent, "crash");
  steps.crash = states();

  said = [];
  await ask(agent, id, "slow 30");
  await seen((one) => one.sessionUpdate === "agent_message_chunk");
  await agent.request(call.session.close, { sessionId: id });
  await seen(state("idle"));
  steps.close = states();
});

for (const replayFrom of [undefined, { type: "start" }]) {
  const name = replayFrom ? "replayed" : "resumed";
  said = [];
  await editor().connectWith(await open(), async (agent) => {
    await agent.request(call.initialize, hello);
    const cwd = process.cwd();
    await agent.request(call.session.resume, { sessionId: id, cwd, replayFrom });
    await seen(state("idle"));
    const prompts = said.filter((one) => one.sessionUpdate === "user_message");
    const history = said.findLastIndex((one) => one.messageId !== undefined);
    steps[name] = [prompts[0]?.messageId === first, states(), history < said.findIndex(state("idle"))];
    await turn(agent, "hello");
    steps[name].push(text("agent_message_chunk"));
    if (replayFrom) await agent.request(call.session.delete, { sessionId: id });
  });
}
console.log(JSON.stringify(steps));
