/** Of this Inspector, in lockstep with all packages. */
export { version as INSPECTOR_VERSION } from '../../package.json';

/** `0.3.1` against `0.2.9`: whether what answers is older or newer than what asks. Patches fit each other. */
export function compareVersions(server: string, inspector: string): 'same' | 'older' | 'newer' {
  const parts = (version: string) => version.split('.').slice(0, 2).map(Number);
  const [one, other] = [parts(server), parts(inspector)];
  for (let at = 0; at < 2; at += 1) {
    const difference = (one[at] ?? 0) - (other[at] ?? 0);
    if (Number.isNaN(difference) || difference === 0) continue;
    return difference < 0 ? 'older' : 'newer';
  }
  return 'same';
}
