/**
 * How many streams the pages of a browser hold open to one server. A browser opens six HTTP/1.1 connections to an
 * origin, for all its tabs: were all of them streams, no tab could send anything any more.
 */

const MOST = 3;

/** Gives it back when called. Null: all are taken, or nobody can tell. */
export async function takeStreamSlot(server: string): Promise<(() => void) | null> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return null;
  for (let index = 0; index < MOST; index += 1) {
    const release = await tryLock(locks, `sandbox-agent:stream:${server}:${index}`);
    if (release) return release;
  }
  return null;
}

function tryLock(locks: LockManager, name: string): Promise<(() => void) | null> {
  return new Promise((resolve) => {
    const held = locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) {
        resolve(null);
        return;
      }
      return new Promise<void>((release) => resolve(() => release()));
    });
    held.catch(() => resolve(null));
  });
}
