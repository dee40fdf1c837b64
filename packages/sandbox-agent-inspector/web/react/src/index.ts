export * from './conversation/index.ts';
export { FOREIGN_MAX_CHARS, foreign, shortened } from './foreign.ts';
export * from './markdown/index.ts';
