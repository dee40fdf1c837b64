import { Copy, KeyRound } from 'lucide-react';
import { useState } from 'react';
import { Checkbox, CheckboxGroup, Label } from 'react-aria-components';
import type { CreateToken, TokenCreated, TokenInfo } from 'sandbox-agent-client';
import { useClient } from 'sandbox-agent-react';
import { copyText } from '../shell/clipboard.ts';
import { notify } from '../shell/notify.tsx';
import {
  Badge,
  Banner,
  Button,
  ConfirmDialog,
  Dialog,
  EmptyState,
  Foreign,
  Select,
  Skeleton,
  TextField,
} from '../ui/index.ts';
import styles from './ServerPage.module.css';
import { useLoaded } from './useLoaded.ts';

type Scope = CreateToken['scopes'][number];

const SCOPES: readonly { id: Scope; about: string }[] = [
  { id: 'read', about: 'look at everything but tokens' },
  { id: 'prompt', about: 'make, prompt, cancel and end sessions' },
  { id: 'answer', about: 'answer permissions and questions, and set what decides them' },
  { id: 'host', about: 'use the sandbox: files, processes, terminals, ports' },
  { id: 'admin', about: 'everything, tokens too' },
];

const LIFETIMES = [
  { id: '3600', label: 'One hour' },
  { id: '86400', label: 'One day' },
  { id: '2592000', label: '30 days' },
  { id: 'never', label: 'Until it is revoked' },
];

/** Who may call the server, beside the holder of its own token. */
export function TokensSection() {
  const client = useClient();
  const [turn, setTurn] = useState(0);
  const [isCreating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<TokenInfo | null>(null);
  const { value, problem } = useLoaded(() => client.tokens.list(), [client, turn]);
  const reload = () => setTurn((old) => old + 1);
  const revoke = async (token: TokenInfo) => {
    try {
      await client.tokens.revoke(token.id);
      notify({ title: `Token of ${token.actor} revoked`, tone: 'ok' });
    } catch (error) {
      notify({ title: 'The token is still valid', detail: String(error), tone: 'error' });
    }
    reload();
  };
  return (
    <div className={styles.section}>
      <div className={styles.bar}>
        <p className={styles.muted}>
          A token has a name, which is recorded with every answer that is given with it, and may do
          no more than its scopes say.
        </p>
        <Button look="primary" icon={<KeyRound />} onPress={() => setCreating(true)}>
          New token
        </Button>
      </div>
      {problem && (
        <Banner tone="err" title="Tokens cannot be listed">
          {problem.message}
        </Banner>
      )}
      {!value && !problem && <Skeleton />}
      {value?.tokens.length === 0 && (
        <EmptyState icon={<KeyRound />} title="No tokens yet">
          Make one for a colleague or a script, instead of handing out the server's own.
        </EmptyState>
      )}
      <ul className={styles.list}>
        {value?.tokens.map((token) => (
          <li key={token.id} className={styles.line}>
            <span className={styles.grow}>
              <Foreign text={token.actor} />
              <span className={styles.muted}> {expiry(token)}</span>
            </span>
            {token.scopes.map((scope) => (
              <Badge key={scope}>{scope}</Badge>
            ))}
            <Button size="small" look="danger" onPress={() => setRevoking(token)}>
              Revoke
            </Button>
          </li>
        ))}
      </ul>
      {isCreating && <NewToken onClose={() => setCreating(false)} onCreated={reload} />}
      <ConfirmDialog
        title="Revoke token"
        action="Revoke"
        danger
        isOpen={revoking !== null}
        onOpenChange={(isOpen) => isOpen || setRevoking(null)}
        onConfirm={() => revoking && void revoke(revoking)}
      >
        <p>
          Whoever holds the token of <Foreign text={revoking?.actor ?? ''} /> is refused from now
          on, and what they follow ends.
        </p>
      </ConfirmDialog>
    </div>
  );
}

function expiry({ expiresAt }: TokenInfo): string {
  if (!expiresAt) return 'until it is revoked';
  return `until ${new Date(expiresAt).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' })}`;
}

interface NewTokenProps {
  onClose: () => void;
  onCreated: () => void;
}

function NewToken({ onClose, onCreated }: NewTokenProps) {
  const client = useClient();
  const [actor, setActor] = useState('');
  const [scopes, setScopes] = useState<string[]>(['read', 'prompt', 'answer']);
  const [lifetime, setLifetime] = useState('86400');
  const [problem, setProblem] = useState<string | null>(null);
  const [created, setCreated] = useState<TokenCreated | null>(null);
  const create = async () => {
    try {
      const body = {
        actor: actor.trim(),
        scopes: SCOPES.map(({ id }) => id).filter((id) => scopes.includes(id)),
        expiresInS: lifetime === 'never' ? null : Number(lifetime),
      };
      setCreated(await client.tokens.create(body));
      onCreated();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  if (created) return <Created token={created} onClose={onClose} />;
  return (
    <Dialog
      title="New token"
      isOpen
      onOpenChange={(isOpen) => isOpen || onClose()}
      footer={
        <>
          <Button onPress={onClose}>Cancel</Button>
          <Button
            look="primary"
            isDisabled={actor.trim() === '' || scopes.length === 0}
            onPress={() => void create()}
          >
            Create
          </Button>
        </>
      }
    >
      <div className={styles.form}>
        <TextField
          label="Name"
          description="Who or what holds it: ana, nightly-review"
          value={actor}
          onChange={setActor}
          maxLength={256}
          autoFocus
          error={problem}
        />
        <CheckboxGroup value={scopes} onChange={setScopes} className={styles.scopes}>
          <Label className={styles.label}>May</Label>
          {SCOPES.map(({ id, about }) => (
            <Checkbox key={id} value={id} className={styles.scope}>
              {({ isSelected }) => (
                <>
                  <span className={styles.box} aria-hidden>
                    {isSelected ? '✓' : ''}
                  </span>
                  <span>
                    <strong>{id}</strong> <span className={styles.muted}>{about}</span>
                  </span>
                </>
              )}
            </Checkbox>
          ))}
        </CheckboxGroup>
        <Select label="Valid for" value={lifetime} onChange={setLifetime} options={LIFETIMES} />
      </div>
    </Dialog>
  );
}

/** Shown this once. */
function Created({ token, onClose }: { token: TokenCreated; onClose: () => void }) {
  return (
    <Dialog
      title={`Token of ${token.actor}`}
      isOpen
      onOpenChange={(isOpen) => isOpen || onClose()}
      footer={
        <>
          <Button icon={<Copy />} onPress={() => void copyText(token.token, 'Token')}>
            Copy
          </Button>
          <Button look="primary" onPress={onClose}>
            Done
          </Button>
        </>
      }
    >
      <div className={styles.form}>
        <p>Copy it now: it is not shown again.</p>
        <code className={styles.secret}>{token.token}</code>
      </div>
    </Dialog>
  );
}
