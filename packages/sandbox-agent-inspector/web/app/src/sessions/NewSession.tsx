/** Where a session is made: the agent first, then what it is asked, where, and all else folded. */

import { useEffect, useMemo, useRef, useState } from 'react';
import { composerOf, useClient, useServerStore } from 'sandbox-agent-react';
import { navigate, paths, useRoute } from '../shell/navigation.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { Banner, Button, Dialog, Disclosure, Kbd, TextField } from '../ui/index.ts';
import { CodeSamples } from './CodeSamples.tsx';
import styles from './NewSession.module.css';
import { AdvancedFields } from './new/AdvancedFields.tsx';
import { AgentPicker, orderedAgents } from './new/AgentPicker.tsx';
import { AgentState } from './new/AgentState.tsx';
import {
  chooseAgent,
  clearDraft,
  editDraft,
  lastChoices,
  rememberChoices,
  useDraft,
} from './new/choices.ts';
import { createSession, nothingFinished, type Progress, StepFailed } from './new/create-session.ts';
import { type FieldProblems, planOf } from './new/draft.ts';
import { FolderField } from './new/FolderField.tsx';
import { SettingsFields } from './new/SettingsFields.tsx';
import { StepBar } from './new/StepBar.tsx';
import { useAgentDetails, useAgents } from './new/use-agents.ts';
import { WorkspaceFields } from './new/WorkspaceFields.tsx';
import { samplesOf } from './samples.ts';

type Section = 'workspace' | 'advanced' | 'code';

/** Fields that are folded away: a problem in one opens it. */
const IN_ADVANCED =
  /^(title|systemPrompt|env|metadata|mcpServers|skills|rules|permissionPolicy|timeoutMinutes|trustWorkspace|additionalDirectories|baseUrl|agentOptions)/;

function leave(): void {
  if (window.history.length > 1) {
    window.history.back();
  } else {
    navigate(paths.sessions(), { replace: true });
  }
}

/** Begin with what the address says, or with what was chosen last; what has been begun goes on. */
function useBeginning(server: string): void {
  const route = useRoute();
  const fields = route.room === 'new' ? route : null;
  const begun = useRef(false);
  useEffect(() => {
    if (begun.current || fields === null) {
      return;
    }
    begun.current = true;
    const { agent, cwd, prompt } = fields;
    if (!useDraft.getState().isStarted) {
      const last = lastChoices(server);
      chooseAgent(server, agent ?? last.agent);
      editDraft({ cwd: cwd ?? last.cwd });
    } else if (agent) {
      chooseAgent(server, agent);
    }
    editDraft({ ...(cwd ? { cwd } : {}), ...(prompt ? { prompt } : {}) });
  }, [fields, server]);
}

export function NewSession() {
  const client = useClient();
  const store = useServerStore();
  const draft = useDraft((state) => state.draft);
  const { agents, problem: agentsProblem, reload } = useAgents();
  const [problems, setProblems] = useState<FieldProblems>({});
  const [progress, setProgress] = useState<Progress | null>(null);
  const [open, setOpen] = useState<ReadonlySet<Section>>(new Set());
  const finished = useRef(nothingFinished());
  const stop = useRef<AbortController | null>(null);
  useBeginning(client.url);
  useEffect(() => () => stop.current?.abort(), []);

  const listed = agents?.find((each) => each.id === draft.agent);
  const details = useAgentDetails(listed);
  const agent = details.info ?? listed;
  const plan = useMemo(
    () => planOf(draft, agent?.agentOptionsSchema),
    [draft, agent?.agentOptionsSchema],
  );
  const recent = useMemo(() => lastChoices(client.url).folders, [client.url]);
  useEffect(() => {
    // Without an earlier choice: the first that is ready.
    const [first] = agents ? orderedAgents(agents) : [];
    if (draft.agent === '' && first) {
      chooseAgent(client.url, first.id);
    }
  }, [agents, draft.agent, client.url]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was said of a value goes with the value
  useEffect(() => setProblems({}), [draft]);

  const toggle = (section: Section) => (isOpen: boolean) =>
    setOpen((before) => {
      const next = new Set(before);
      if (isOpen) {
        next.add(section);
      } else {
        next.delete(section);
      }
      return next;
    });
  const show = (found: FieldProblems) => {
    setProblems(found);
    const fields = Object.keys(found);
    if (fields.some((each) => IN_ADVANCED.test(each))) {
      toggle('advanced')(true);
    }
    if (fields.some((each) => each === 'cloneUrl' || each === 'files')) {
      toggle('workspace')(true);
    }
    requestAnimationFrame(() =>
      document.querySelector<HTMLElement>('[data-invalid] input, [aria-invalid="true"]')?.focus(),
    );
  };

  const create = async () => {
    if (progress !== null) {
      return;
    }
    if (Object.keys(plan.problems).length > 0) {
      show(plan.problems);
      return;
    }
    const stopped = new AbortController();
    const { signal } = stopped;
    stop.current = stopped;
    setProgress({ step: 'create', label: 'Starting', done: null });
    try {
      const session = await createSession(client, store, {
        plan,
        files: draft.files,
        isInstalled: agent?.installed ?? true,
        finished: finished.current,
        signal,
        onProgress: setProgress,
      });
      // The dialog was closed meanwhile: the session is in the list, what was written is still a draft.
      if (signal.aborted) return;
      rememberChoices(client.url, draft, draft.cwd.trim() || (plan.clone ? session.cwd : ''));
      if (plan.prompt) {
        // Written and sent as any other: it is a draft of the session until the server has taken it.
        const composer = composerOf(client, store.session(session.id), session.id);
        composer.drafts.set(session.id, plan.prompt);
        void composer.send('queue');
      }
      clearDraft();
      navigate(paths.session(session.id), { replace: true });
    } catch (error) {
      if (signal.aborted) return;
      show(error instanceof StepFailed ? error.problems : { general: String(error) });
      setProgress(null);
    }
  };
  useShortcut('Ctrl+Enter', () => void create(), {
    label: 'Start the session',
    group: 'New session',
    inDialogs: true,
    offered: false,
  });

  const shown = { ...problems };
  const uploads =
    draft.files.length > 0
      ? `The ${draft.files.length === 1 ? 'file' : 'files'} to upload must be written before: PUT /v1/fs/file.`
      : undefined;
  return (
    <Dialog
      title="New session"
      size="large"
      isOpen
      onOpenChange={leave}
      footer={
        progress ? (
          <StepBar label={progress.label} done={progress.done} />
        ) : (
          <>
            <Button onPress={leave}>Cancel</Button>
            <Button look="primary" onPress={create} shortcut={<Kbd keys="Ctrl Enter" />}>
              Start
            </Button>
          </>
        )
      }
    >
      <form
        className={styles.form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void create();
        }}
      >
        {shown.general || agentsProblem ? (
          <Banner tone="err" title="That did not work">
            <p>{shown.general ?? agentsProblem}</p>
          </Banner>
        ) : null}
        <AgentPicker
          agents={agents}
          selected={draft.agent}
          problem={shown.agent}
          onSelect={(id) => chooseAgent(client.url, id)}
        />
        {listed ? <AgentState key={listed.id} agent={listed} onInstalled={reload} /> : null}
        <TextField
          label="First prompt"
          placeholder="What should it do? Leave it empty to begin later."
          value={draft.prompt}
          onChange={(prompt) => editDraft({ prompt })}
          rows={3}
          autoFocus
        />
        <FolderField
          value={draft.cwd}
          recent={recent}
          problem={shown.cwd}
          onChange={(cwd) => editDraft({ cwd })}
        />
        {agent ? (
          <SettingsFields agent={agent} details={details} draft={draft} problems={shown} />
        ) : null}
        <div className={styles.sections}>
          <Disclosure
            summary="Put into the folder first"
            isOpen={open.has('workspace')}
            onToggle={toggle('workspace')}
          >
            <div className={styles.section}>
              <WorkspaceFields draft={draft} problems={shown} />
            </div>
          </Disclosure>
          <Disclosure
            summary="More: permissions, MCP servers, skills, environment, options"
            isOpen={open.has('advanced')}
            onToggle={toggle('advanced')}
          >
            <div className={styles.section}>
              <AdvancedFields agent={agent} draft={draft} problems={shown} />
            </div>
          </Disclosure>
          <Disclosure
            summary="As Python, curl or command line"
            isOpen={open.has('code')}
            onToggle={toggle('code')}
          >
            <div className={styles.section}>
              <CodeSamples samples={samplesOf(client.url, plan, uploads)} />
            </div>
          </Disclosure>
        </div>
        <button type="submit" hidden tabIndex={-1}>
          Start
        </button>
      </form>
    </Dialog>
  );
}
