export * from './mcpForm.ts';
export * from './skillForm.ts';
