export type * from './api/schema.ts';
