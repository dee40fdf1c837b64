export * from './ansi/index.ts';
export * from './conversation/index.ts';
export * from './diff/index.ts';
export { FOREIGN_MAX_CHARS, foreign, foreignCode, shortened } from './foreign.ts';
export { languageOfName, languageOfPath } from './highlight/languages.ts';
export * from './markdown/index.ts';
export * from './server/index.ts';
export * from './timeline/index.ts';
export * from './tools/index.ts';
