export { FOREIGN_MAX_CHARS, foreign, shortened } from './foreign.ts';
