/** Of this Inspector, in lockstep with all packages. */
export { version as INSPECTOR_VERSION } from '../../package.json';

/** `0.3.1` against `0.2.9`: whether what answers is older or newer than what asks. Patches fit each other. */
export function compareVersions(server: string, inspector: string): 'same' | 'older' | 'newer' {
  const parts = (version: string) => version.split('.').slice(0, 2).map(Number);
  const [one, other] = [parts(server), parts(inspector)];
  if ([...one, ...other].some(Number.isNaN)) return 'same';
  const differences = one.map((part, at) => part - (other[at] ?? 0));
  const difference = differences.find((each) => each !== 0) ?? 0;
  return difference === 0 ? 'same' : difference < 0 ? 'older' : 'newer';
}
