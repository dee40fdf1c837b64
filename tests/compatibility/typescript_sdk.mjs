// Drives a server with the TypeScript SDK of sandbox-agent 0.4.2, which its authors wrote for their own server.
//
//   node typescript_sdk.mjs SDK_DIRECTORY BASE_URL TOKEN DIRECTORY AGENT
//
// Each step is a line of JSON on stdout: {step, methods, ok, error?}. At {"restart": true} whoever started this program
// restarts the server at the same address, and says so with a line on stdin.

import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [sdkDirectory, baseUrl, token, directory, agent] = process.argv.slice(2);
const sdk = await import(pathToFileURL(`${sdkDirectory}/node_modules/sandbox-agent/dist/index.js`).href);
const {
  InMemorySessionPersistDriver, SandboxAgent, SandboxAgentError, UnsupportedSessionConfigOptionError,
  UnsupportedSessionValueError, buildInspectorUrl,
} = sdk;

const STEP_TIMEOUT_MS = 25_000;
const stdin = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

// A write of this SDK is not awaited: what a server refuses there ends the program of its user.
const unhandled = [];
process.on("unhandledRejection", (error) => unhandled.push(String(error?.message ?? error)));

function within(promise, what) {
  const late = new Promise((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what}: no answer in ${STEP_TIMEOUT_MS} ms`)), STEP_TIMEOUT_MS);
    promise.then(() => clearTimeout(timer), () => clearTimeout(timer));
  });
  return Promise.race([promise, late]);
}

async function step(name, methods, run) {
  try {
    const value = await within(Promise.resolve().then(run), name);
    if (unhandled.length) throw new Error(`unhandled: ${unhandled.splice(0).join("; ")}`);
    say({ step: name, methods, ok: true });
    return value;
  } catch (error) {
    unhandled.splice(0);
    const problem = error?.problem ? ` ${JSON.stringify(error.problem)}` : "";
    say({ step: name, methods, ok: false, error: `${error?.constructor?.name}: ${error?.message}${problem}`.slice(0, 1500) });
    return undefined;
  }
}

async function refusal(promise, status, code) {
  const error = await promise.then(() => undefined, (caught) => caught);
  assert.ok(error instanceof SandboxAgentError, `expected a SandboxAgentError, got ${error}`);
  assert.equal(error.status, status);
  assert.equal(error.problem?.status, status);
  if (code) assert.match(error.problem.type, new RegExp(`^urn:sandbox-agent:error:(${code})$`));
  return error;
}

const bytes = (text) => new TextEncoder().encode(text);
const text = (data) => new TextDecoder().decode(data);
const base64 = (data) => Buffer.from(data, "base64").toString();

async function until(condition, what) {
  const end = Date.now() + STEP_TIMEOUT_MS;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: it did not happen`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const said = (events) =>
  events
    .map((event) => event.payload?.params?.update)
    .filter((update) => update?.sessionUpdate === "agent_message_chunk")
    .map((update) => update.content?.text ?? "")
    .join("");

function tarOf(files) {
  const blocks = [];
  for (const [name, content] of Object.entries(files)) {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write("0000644\0", 100);
    header.write("0000000\0", 108);
    header.write("0000000\0", 116);
    header.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write("00000000000\0", 136);
    header.write("        ", 148);
    header.write("0", 156);
    header.write("ustar\x0000", 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    blocks.push(header, Buffer.from(content), Buffer.alloc((512 - (content.length % 512)) % 512));
  }
  return new Uint8Array(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

// Service

const client = await step("connect", ["connect"], () => SandboxAgent.connect({ baseUrl, token }));
if (!client) process.exit(1);
await step("health", ["getHealth"], async () => assert.equal((await client.getHealth()).status, "ok"));
await step("no token", ["connect"], async () => {
  const stranger = await SandboxAgent.connect({ baseUrl, skipHealthCheck: true });
  await refusal(stranger.listAgents(), 401, "token_invalid");
  await stranger.dispose();
});
await step("agents", ["listAgents"], async () => {
  const { agents } = await client.listAgents();
  const ids = agents.map((one) => one.id);
  for (const id of ["claude", "codex", "opencode", "amp", "pi", "cursor", "mock"]) assert.ok(ids.includes(id), id);
  for (const one of agents) {
    assert.equal(typeof one.installed, "boolean");
    assert.equal(Object.keys(one.capabilities).length, 18, one.id);
    for (const [name, value] of Object.entries(one.capabilities)) assert.equal(typeof value, "boolean", name);
  }
});
await step("install", ["installAgent"], async () => {
  const done = await client.installAgent("mock", {});
  assert.equal(typeof done.already_installed, "boolean");
  assert.ok(Array.isArray(done.artifacts));
  assert.equal((await client.installAgent("mock")).already_installed, true);
});
await step("agent with its options", ["getAgent"], async () => {
  const found = await client.getAgent("mock", { config: true, noCache: true });
  assert.deepEqual([found.id, found.installed, found.credentialsAvailable], ["mock", true, true]);
  for (const category of ["model", "mode", "thought_level"]) {
    const option = found.configOptions.find((one) => one.category === category);
    assert.ok(option.options.some((one) => one.value === option.currentValue), category);
  }
  assert.ok(found.version && found.path, "version, path");
});
await step("unknown agent", ["getAgent"], async () => {
  const error = await refusal(client.getAgent("nope"), 400, "unsupported_agent");
  assert.equal(error.problem.agent, "nope");
});

// Sessions

const persist = new InMemorySessionPersistDriver();
const talking = await step("connect with a store", ["connect"], () => SandboxAgent.connect({ baseUrl, token, persist }));
const session = await step("create a session", ["createSession"], () =>
  talking.createSession({ id: "compatible", agent, cwd: directory }));
if (session) {
  const heard = [];
  session.onEvent((event) => heard.push(event));
  await step("session record", ["toRecord", "getSession", "listSessions"], async () => {
    const record = session.toRecord();
    assert.equal(record.id, "compatible");
    assert.ok(record.agentSessionId, "agentSessionId");
    assert.equal((await talking.getSession("compatible")).id, "compatible");
    assert.ok((await talking.listSessions()).items.some((one) => one.id === "compatible"));
  });
  await step("list ACP servers", ["listAcpServers"], async () => {
    const { servers } = await talking.listAcpServers();
    const ours = servers.find((one) => one.agent === agent);
    assert.match(ours.serverId, /^sdk-/);
    assert.ok(ours.createdAtMs > 0);
  });
  await step("agent status", ["getAgent"], async () => {
    const status = (await talking.getAgent(agent)).serverStatus;
    assert.equal(status.status, "running");
    assert.ok(status.uptimeMs >= 0);
  });
  await step("prompt", ["prompt", "onEvent"], async () => {
    const done = await session.prompt([{ type: "text", text: "hello" }]);
    assert.equal(done.stopReason, "end_turn");
    assert.ok(said(heard).length > 0, "nothing was said");
  });
  await step("events", ["getEvents"], async () => {
    const { items } = await talking.getEvents({ sessionId: "compatible" });
    assert.deepEqual(items.map((one) => one.eventIndex), items.map((_, place) => place + 1));
    assert.ok(items.some((one) => one.sender === "client" && one.payload.method === "session/prompt"));
    assert.ok(items.some((one) => one.sender === "agent" && one.payload.method === "session/update"));
  });
  await step("permission: raw", ["rawRespondPermission"], async () => {
    const other = await talking.createSession({ agent, cwd: directory });
    let answered;
    other.onPermissionRequest((request) => {
      const { optionId } = request.options.find((one) => one.kind.startsWith("reject"));
      answered = other.rawRespondPermission(request.id, { outcome: { outcome: "selected", optionId } });
    });
    assert.equal((await other.prompt([{ type: "text", text: "permission" }])).stopReason, "end_turn");
    assert.ok(answered, "nothing was asked");
    await answered;
  });
  await step("permission: one that was not asked", ["respondPermission"], () =>
    assert.rejects(session.respondPermission("no-such-permission", "once")));
  for (const reply of ["once", "reject", "always"]) {
    await step(`permission: ${reply}`, ["onPermissionRequest", "respondPermission"], async () => {
      const asked = [];
      const off = session.onPermissionRequest((request) => {
        asked.push(request);
        session.respondPermission(request.id, reply).catch((error) => asked.push(error));
      });
      const done = await session.prompt([{ type: "text", text: "permission" }]);
      off();
      assert.equal(done.stopReason, "end_turn");
      assert.ok(asked.length >= 1, "nothing was asked");
      assert.ok(!(asked.at(-1) instanceof Error), String(asked.at(-1)));
      assert.ok(asked[0].toolCall.toolCallId);
      assert.ok(asked[0].availableReplies.includes("once"));
      assert.ok(asked[0].availableReplies.includes("reject"));
    });
  }
  await step("modes", ["getModes", "setMode"], async () => {
    const { availableModes, currentModeId } = await session.getModes();
    assert.ok(availableModes.length > 1, "one mode only");
    const other = availableModes.find((one) => one.id !== currentModeId).id;
    await session.setMode(other);
    assert.equal((await session.getModes()).currentModeId, other);
    await session.setMode(currentModeId);
  });
  const options = await step("config options", ["getConfigOptions"], async () => {
    const found = await session.getConfigOptions();
    assert.ok(found.length > 0, "none");
    return found;
  });
  await step("model", ["setModel"], async () => {
    const model = options.find((one) => one.category === "model");
    const values = model.options.flatMap((one) => one.options ?? [one]).map((one) => one.value);
    const other = values.find((one) => one !== model.currentValue) ?? model.currentValue;
    await session.setModel(other);
    const after = (await session.getConfigOptions()).find((one) => one.category === "model");
    assert.equal(after.currentValue, other);
  });
  await step("thought level", ["setThoughtLevel"], async () => {
    const level = options.find((one) => one.category === "thought_level");
    const other = level.options.find((one) => one.value !== level.currentValue).value;
    await session.setThoughtLevel(other);
    const after = (await session.getConfigOptions()).find((one) => one.category === "thought_level");
    assert.equal(after.currentValue, other);
  });
  await step("config option", ["setConfigOption"], async () => {
    const model = options.find((one) => one.category === "model");
    await session.setConfigOption(model.id, model.currentValue);
  });
  await step("a value that is not offered", ["setModel", "setConfigOption"], async () => {
    await assert.rejects(session.setModel("no-such-model"), UnsupportedSessionValueError);
    await assert.rejects(session.setConfigOption("no-such-option", "x"), UnsupportedSessionConfigOptionError);
  });
  await step("raw method", ["rawSend"], async () => {
    const done = await session.rawSend("session/prompt", { prompt: [{ type: "text", text: "hello" }] });
    assert.equal(done.stopReason, "end_turn");
    const error = await session.rawSend("no/such_method", {}).then(() => undefined, (caught) => caught);
    assert.equal(error?.code, -32601);
  });
  await step("two sessions side by side", ["createSession", "prompt"], async () => {
    const sessions = await Promise.all([1, 2].map(() => talking.createSession({ agent, cwd: directory })));
    assert.notEqual(sessions[0].agentSessionId, sessions[1].agentSessionId);
    const done = await Promise.all(sessions.map((one) => one.prompt([{ type: "text", text: "hello" }])));
    assert.deepEqual(done.map((one) => one.stopReason), ["end_turn", "end_turn"]);
  });
  await step("create with mode and model", ["createSession"], async () => {
    const { availableModes } = await session.getModes();
    const model = options.find((one) => one.category === "model").currentValue;
    const made = await talking.createSession({ agent, cwd: directory, mode: availableModes.at(-1).id, model });
    assert.equal((await made.getModes()).currentModeId, availableModes.at(-1).id);
  });
  await step("destroy during a turn", ["destroySession"], async () => {
    const made = await talking.createSession({ agent, cwd: directory });
    const running = made.prompt([{ type: "text", text: "slow" }]).then((done) => done.stopReason, String);
    await until(async () => (await talking.getEvents({ sessionId: made.id })).items.length > 2, "the turn began");
    const record = await talking.destroySession(made.id);
    assert.ok(record.destroyedAt > 0);
    await running;
  });
}

// A restart of the server

let restarted = Infinity;
if (session) {
  await step("the server restarts", [], async () => {
    say({ restart: true });
    await stdin.next();
    restarted = Date.now();
  });
  const again = await SandboxAgent.connect({ baseUrl, token, persist });
  await step("resume after a restart", ["resumeSession", "resumeOrCreateSession"], async () => {
    const resumed = await again.resumeSession("compatible");
    assert.equal(resumed.id, "compatible");
    assert.equal((await resumed.prompt([{ type: "text", text: "hello" }])).stopReason, "end_turn");
    const same = await again.resumeOrCreateSession({ id: "compatible", agent, cwd: directory });
    assert.equal(same.id, "compatible");
    const { items } = await again.getEvents({ sessionId: "compatible", limit: 1000 });
    assert.ok(items.filter((one) => one.payload.method === "session/prompt").length >= 2);
  });
  await step("destroy", ["destroySession"], async () => {
    await again.destroySession("compatible");
    assert.ok((await again.getSession("compatible")).destroyedAt > 0);
  });
  await step("dispose", ["dispose"], async () => {
    await again.dispose();
    assert.deepEqual((await client.listAcpServers()).servers.filter((one) => one.createdAtMs > restarted), []);
  });
}
await step("dispose after the server was gone", ["dispose"], () => talking?.dispose());

// Files

const file = `${directory}/notes/one.txt`;
await step("write and read a file", ["writeFsFile", "readFsFile"], async () => {
  const written = await client.writeFsFile({ path: file }, "hello");
  assert.deepEqual([written.path, written.bytesWritten], [file, 5]);
  assert.equal(text(await client.readFsFile({ path: file })), "hello");
  const all = Uint8Array.from({ length: 256 }, (_, number) => number);
  await client.writeFsFile({ path: `${directory}/bytes` }, all);
  assert.deepEqual(await client.readFsFile({ path: `${directory}/bytes` }), all);
});
await step("stat", ["statFs"], async () => {
  const stat = await client.statFs({ path: file });
  assert.deepEqual([stat.path, stat.entryType, stat.size], [file, "file", 5]);
  assert.ok(!Number.isNaN(Date.parse(stat.modified)));
  assert.equal((await client.statFs({ path: directory })).entryType, "directory");
});
await step("list", ["listFsEntries"], async () => {
  const entries = await client.listFsEntries({ path: directory });
  const notes = entries.find((one) => one.name === "notes");
  assert.deepEqual([notes.path, notes.entryType], [`${directory}/notes`, "directory"]);
});
await step("make and move", ["mkdirFs", "moveFs"], async () => {
  assert.deepEqual(await client.mkdirFs({ path: `${directory}/a/b` }), { path: `${directory}/a/b` });
  const moved = { from: file, to: `${directory}/a/b/two.txt` };
  assert.deepEqual(await client.moveFs(moved), moved);
  assert.equal(text(await client.readFsFile({ path: moved.to })), "hello");
});
await step("move over something", ["moveFs"], async () => {
  await client.writeFsFile({ path: `${directory}/a/here` }, "old");
  const move = { from: `${directory}/a/b/two.txt`, to: `${directory}/a/here` };
  const error = await client.moveFs(move).then(() => undefined, (caught) => caught);
  assert.ok(error instanceof SandboxAgentError && error.status >= 400 && error.status < 500, String(error));
  await client.moveFs({ ...move, overwrite: true });
  assert.equal(text(await client.readFsFile({ path: move.to })), "hello");
});
await step("delete", ["deleteFsEntry"], async () => {
  const error = await client.deleteFsEntry({ path: `${directory}/a` }).then(() => undefined, (caught) => caught);
  assert.ok(error instanceof SandboxAgentError, "a directory that is not empty went away");
  assert.deepEqual(await client.deleteFsEntry({ path: `${directory}/a`, recursive: true }), { path: `${directory}/a` });
});
await step("upload a tar", ["uploadFsBatch"], async () => {
  const done = await client.uploadFsBatch(tarOf({ "x/one": "1", "x/two": "22" }), { path: `${directory}/up` });
  assert.equal(done.truncated, false);
  assert.ok(done.paths.length >= 2, JSON.stringify(done));
  assert.equal(text(await client.readFsFile({ path: `${directory}/up/x/two` })), "22");
});
await step("a file that is not there", ["readFsFile", "statFs"], async () => {
  const path = `${directory}/none`;
  for (const call of [() => client.readFsFile({ path }), () => client.statFs({ path })]) {
    const error = await call().then(() => undefined, (caught) => caught);
    assert.ok(error instanceof SandboxAgentError && [400, 404].includes(error.status), String(error));
    assert.ok(error.problem.detail);
  }
});

// Configuration

await step("MCP configuration", ["setMcpConfig", "getMcpConfig", "deleteMcpConfig"], async () => {
  const query = { directory, mcpName: "files" };
  const local = { type: "local", command: "true", args: ["-x"], env: { A: "b" } };
  await client.setMcpConfig(query, local);
  assert.deepEqual({ ...(await client.getMcpConfig(query)), ...local }, await client.getMcpConfig(query));
  const remote = { type: "remote", url: "https://mcp.example/sse", headers: { "x-a": "b" }, bearerTokenEnvVar: "T" };
  await client.setMcpConfig({ directory, mcpName: "web" }, remote);
  const stored = await client.getMcpConfig({ directory, mcpName: "web" });
  assert.deepEqual([stored.url, stored.bearerTokenEnvVar, stored.headers], [remote.url, "T", { "x-a": "b" }]);
  await client.deleteMcpConfig(query);
  await client.deleteMcpConfig({ directory, mcpName: "web" });
  await refusal(client.getMcpConfig(query), 404);
});
await step("skills configuration", ["setSkillsConfig", "getSkillsConfig", "deleteSkillsConfig"], async () => {
  const query = { directory, skillName: "review" };
  const sources = [{ type: "local", source: directory, skills: ["review"] }];
  await client.setSkillsConfig(query, { sources });
  const stored = await client.getSkillsConfig(query);
  assert.deepEqual([stored.sources[0].type, stored.sources[0].source], ["local", directory]);
  await client.deleteSkillsConfig(query);
  await refusal(client.getSkillsConfig(query), 404);
});

// Processes

await step("run", ["runProcess"], async () => {
  const done = await client.runProcess({ command: "sh", args: ["-c", "echo out; echo err >&2; exit 3"], cwd: directory });
  assert.deepEqual(
    [done.exitCode, done.stdout, done.stderr, done.timedOut, done.stdoutTruncated],
    [3, "out\n", "err\n", false, false],
  );
  assert.ok(done.durationMs >= 0);
  const late = await client.runProcess({ command: "sleep", args: ["60"], timeoutMs: 100 });
  assert.equal(late.timedOut, true);
  const cut = await client.runProcess({ command: "head", args: ["-c", "5000", "/dev/zero"], maxOutputBytes: 10 });
  assert.deepEqual([cut.stdout.length, cut.stdoutTruncated], [10, true]);
});
await step("a program that is not there", ["runProcess"], async () => {
  const error = await client.runProcess({ command: "no-such-program" }).then(() => undefined, (caught) => caught);
  assert.ok(error instanceof SandboxAgentError && error.status >= 400, String(error));
});
await step("process limits", ["getProcessConfig", "setProcessConfig"], async () => {
  const config = await client.getProcessConfig();
  assert.equal(Object.keys(config).filter((key) => /^(default|max)/.test(key)).length, 6);
  const set = await client.setProcessConfig({ ...config, maxRunTimeoutMs: config.maxRunTimeoutMs + 1 });
  assert.equal(set.maxRunTimeoutMs, config.maxRunTimeoutMs + 1);
  await client.setProcessConfig(config);
});
await step("a process with input", ["createProcess", "sendProcessInput", "getProcessLogs", "getProcess"], async () => {
  const made = await client.createProcess({ command: "cat", interactive: true, cwd: directory });
  assert.deepEqual([made.status, made.tty, made.interactive, made.command], ["running", false, true, "cat"]);
  const sent = await client.sendProcessInput(made.id, { data: "hello\n", encoding: "utf8" });
  assert.equal(sent.bytesWritten, 6);
  const logs = await until(async () => {
    const { entries } = await client.getProcessLogs(made.id, { stream: "stdout" });
    return entries.length && entries;
  }, "the echo");
  assert.equal(logs.map((one) => base64(one.data)).join(""), "hello\n");
  assert.equal(logs[0].sequence, 1);
  await refusal(client.deleteProcess(made.id), 409);
  const killed = await client.killProcess(made.id, { waitMs: 5000 });
  assert.equal(killed.status, "exited");
  assert.equal((await client.getProcess(made.id)).status, "exited");
  await client.deleteProcess(made.id);
  await refusal(client.getProcess(made.id), 404);
});
await step("list and stop", ["listProcesses", "stopProcess"], async () => {
  const made = await client.createProcess({ command: "sleep", args: ["60"] });
  const { processes } = await client.listProcesses({ owner: "user" });
  assert.equal(processes.find((one) => one.id === made.id).owner, "user");
  assert.equal((await client.stopProcess(made.id, { waitMs: 5000 })).status, "exited");
  await client.deleteProcess(made.id);
});
await step("follow logs", ["followProcessLogs", "sendProcessInput"], async () => {
  const made = await client.createProcess({ command: "sh", args: ["-c", "echo 1; read line; echo $line; echo 3"], interactive: true });
  const lines = [];
  const following = await client.followProcessLogs(made.id, (entry) => lines.push(base64(entry.data)));
  await client.sendProcessInput(made.id, { data: btoa("2\n") });
  await following.closed;
  assert.equal(lines.join(""), "1\n2\n3\n");
  await client.deleteProcess(made.id);
});
await step("a process that is not there", ["getProcess"], async () => {
  const error = await refusal(client.getProcess("proc_999"), 404);
  assert.deepEqual([error.problem.details.resource, error.problem.details.id], ["process", "proc_999"]);
});

// Terminal

await step("terminal", ["connectProcessTerminal", "resizeProcessTerminal"], async () => {
  const made = await client.createProcess({ command: "sh", tty: true, interactive: true, cwd: directory, env: { PS1: "$ " } });
  assert.equal(made.tty, true);
  const terminal = client.connectProcessTerminal(made.id, { accessToken: token });
  let shown = "";
  let exit;
  terminal.onData((data) => { shown += text(data); });
  terminal.onExit((status) => { exit = status; });
  await new Promise((resolve) => terminal.onReady((ready) => { assert.equal(ready.processId, made.id); resolve(); }));
  terminal.resize({ cols: 101, rows: 33 });
  await until(async () => {
    terminal.sendInput("stty size\r");
    await new Promise((resolve) => setTimeout(resolve, 100));
    return shown.includes("33 101");
  }, "the size of the terminal");
  assert.deepEqual(await client.resizeProcessTerminal(made.id, { cols: 80, rows: 24 }), { cols: 80, rows: 24 });
  terminal.sendInput(bytes("exit 7\r"));
  await until(() => exit, "the exit");
  assert.equal(exit.exitCode, 7);
  await terminal.closed;
  await client.deleteProcess(made.id);
});
await step("terminal of a process without one", ["resizeProcessTerminal"], async () => {
  const made = await client.createProcess({ command: "sleep", args: ["60"] });
  await refusal(client.resizeProcessTerminal(made.id, { cols: 80, rows: 24 }), 409);
  await client.killProcess(made.id, { waitMs: 5000 });
  await client.deleteProcess(made.id);
});

// What is not there

await step("desktop", [], async () => {
  const status = await client.getDesktopStatus().then((found) => found.state, (error) => error);
  if (status instanceof Error) {
    assert.ok(status instanceof SandboxAgentError, String(status));
    assert.deepEqual([status.status, status.problem.status], [404, 404]);
  }
});
await step("inspector address", ["buildInspectorUrl"], () =>
  assert.equal(buildInspectorUrl({ baseUrl, token }), `${baseUrl}/ui/?token=${encodeURIComponent(token)}`));
await step("dispose the last client", ["dispose"], () => client.dispose());
say({ done: true });
process.exit(0);
