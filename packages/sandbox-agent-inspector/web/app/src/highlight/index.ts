export { CodeLineView, tokenClass } from './CodeLineView.tsx';
export { useHighlight } from './useHighlight.ts';
